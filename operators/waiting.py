"""Operators that are nothing but a wait: they begin in the triggerer, and no worker process ever runs them."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import StartTriggerArgs

from operators.triggers import ArrayTrigger, Asking, InboxTrigger, NightTrigger

__all__ = ["Wait", "WaitForArray", "WaitForInbox", "WaitForNight", "value_of"]


def value_of(task_id: str, item: str = "") -> str:
    """Return the template of what a task returned, or of one item of it.

    It names the map index: without it Airflow asks for a sequence, which the triggerer's side does not answer, so
    that a trigger with such a template would hang for ever.
    """
    item = f"['{item}']" if item else ""
    return f"{{{{ ti.xcom_pull(task_ids='{task_id}', map_indexes=-1){item} }}}}"


class Wait(BaseOperator):
    """A wait that starts and ends in the triggerer.

    It costs a fifth of a wait that begins on a worker. Where it is executed all the same (``dag.test``), it
    defers in the usual way.
    """

    trigger_class: type[ArrayTrigger] | type[Asking]
    start_from_trigger = True
    ui_color = "#e6e6fa"

    def __init__(self, *, arguments: dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        for name, value in arguments.items():
            setattr(self, name, value)
        self._arguments = tuple(arguments)
        module, name = self.trigger_class.__module__, self.trigger_class.__qualname__
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{module}.{name}", next_method="execute_complete", trigger_kwargs=dict(arguments)
        )

    def execute(self, context: Any) -> None:
        """Defer with the arguments as they were rendered."""
        arguments = {name: getattr(self, name) for name in self._arguments}
        self.defer(trigger=self.trigger_class(**arguments), method_name="execute_complete")

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        """Return why the wait was over, where the trigger did not end the task itself."""
        return event


class WaitForArray(Wait):
    """Waits for an array of jobs.

    Parameters
    ----------
    array : str
        Its name; a template.
    """

    trigger_class = ArrayTrigger
    template_fields: Sequence[str] = ("array",)

    def __init__(self, *, array: str, **kwargs: Any):
        super().__init__(arguments={"array": array}, **kwargs)


class WaitForInbox(Wait):
    """Waits until a complete file lies in the inbox, or something is due.

    Parameters
    ----------
    at_most_s : float
        It also ends after so long.
    """

    trigger_class = InboxTrigger

    def __init__(self, *, at_most_s: float = 60.0, **kwargs: Any):
        super().__init__(arguments={"at_most_s": at_most_s}, **kwargs)


class WaitForNight(Wait):
    """Waits until nothing of a night is under way.

    Parameters
    ----------
    night : str
        The date of its evening; a template.
    """

    trigger_class = NightTrigger
    template_fields: Sequence[str] = ("night",)

    def __init__(self, *, night: str, **kwargs: Any):
        super().__init__(arguments={"night": night}, **kwargs)
