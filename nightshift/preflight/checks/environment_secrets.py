"""Whether the secrets that the night needs are set. None of them is shown."""

import os

from nightshift.night_end.mail import PASSWORD, USER
from nightshift.preflight.check import Afternoon, Finding, check, green, red

__all__ = ["check_secrets"]


@check("secrets", "Secrets")
def check_secrets(afternoon: Afternoon) -> Finding:
    """Look for the variables of `preflight.needs_variables`, and for the password of the mail relay's login."""
    needed = list(afternoon.policy.needs_variables)
    if os.environ.get(USER):
        needed.append(PASSWORD)
    lacking = [name for name in needed if not os.environ.get(name)]
    if lacking:
        return red(f"Not set: {', '.join(lacking)}", "Set them where the stack is started.", number=len(lacking))
    return green(f"Set: {', '.join(needed)}" if needed else "None is needed")
