"""What the settings of a camera make of a few of its raw frames, before the first night and without a ledger.

The frames are held against the settings (time, numbers of frames, fields, pixels), then a master of each kind and one
science frame a filter are made by the very code that works at night.
"""

from nightshift.trial_reduction.remarks import Remark, Severity
from nightshift.trial_reduction.trial import try_out

__all__ = ["Remark", "Severity", "try_out"]
