"""Sensors that are nothing but a wait: they begin in the triggerer, and no worker process ever runs them."""

from collections.abc import Callable, Sequence
from typing import Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.triggers.base import StartTriggerArgs

from operators.triggers import ArrayTrigger, Asking, InboxTrigger, NightTrigger, RunTrigger

__all__ = ["Wait", "WaitForArray", "WaitForInbox", "WaitForNight", "WaitForRun"]

# a run is asked for with its night, or made by the clock at the night's end
NIGHT_OF_RUN = {
    "site": "{{ (dag_run.conf or {}).get('site', '') }}",
    "night": "{{ (dag_run.conf or {}).get('night', '') }}",
    "ended_at": "{{ dag_run.data_interval_end or '' }}",
}


class Wait(BaseSensorOperator):
    """A deferrable sensor that starts and ends in the triggerer.

    It costs a fifth of a wait that begins on a worker. Where it is executed all the same (``dag.test``), it
    defers in the usual way. It has no time limit of its own: its trigger knows when to give up.
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
    """Waits for the array of what the run's `conf` names.

    Parameters
    ----------
    kind : str
        The kind of job.
    """

    trigger_class = ArrayTrigger
    template_fields: Sequence[str] = ("keys",)

    def __init__(self, *, kind: str, **kwargs: Any):
        super().__init__(arguments={"kind": kind, "keys": "{{ dag_run.conf | tojson }}"}, **kwargs)


class WaitForInbox(Wait):
    """The sensor of the inbox: waits until a complete file lies in it, or something is due.

    Parameters
    ----------
    at_most_s : float
        It also ends after so long.
    deferrable : bool
        Whether it waits in the triggerer; else it looks from a worker, every `poke_interval` seconds.
    """

    trigger_class = InboxTrigger

    def __init__(self, *, at_most_s: float = 60.0, deferrable: bool = True, **kwargs: Any):
        super().__init__(arguments={"at_most_s": at_most_s}, **{"poke_interval": InboxTrigger.interval_s, **kwargs})
        self.deferrable = self.start_from_trigger = deferrable
        self._news: Callable[[], str | None] | None = None

    def execute(self, context: Any) -> Any:
        """Defer, or look from here."""
        return super().execute(context) if self.deferrable else BaseSensorOperator.execute(self, context)

    def poke(self, context: Any) -> PokeReturnValue:
        """Look once; what there is to do is the task's value."""
        if self._news is None:
            self._news = InboxTrigger(**{name: getattr(self, name) for name in self._arguments}).question()
        why = self._news()
        return PokeReturnValue(is_done=why is not None, xcom_value=why)


class WaitForNight(Wait):
    """Waits until nothing of the run's night is under way."""

    trigger_class = NightTrigger
    template_fields: Sequence[str] = ("site", "night", "ended_at")

    def __init__(self, **kwargs: Any):
        super().__init__(arguments=NIGHT_OF_RUN, **kwargs)


class WaitForRun(Wait):
    """Waits until another workflow's run for the same night has ended, however it ended.

    Parameters
    ----------
    workflow : str
        Its DAG.
    """

    trigger_class = RunTrigger
    template_fields: Sequence[str] = ("site", "night", "ended_at")

    def __init__(self, *, workflow: str, **kwargs: Any):
        super().__init__(arguments={"workflow": workflow, **NIGHT_OF_RUN}, **kwargs)
