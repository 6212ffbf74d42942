"""The named queries of ``sql/queries/products.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = ["delete_product_inputs", "inputs_changed", "put_product", "put_product_inputs"]

TOPIC = "products"


def put_product(
    ledger: Ledger,
    *,
    product_key: str | None,
    job_key: str | None,
    night: date | None,
    kind: str | None,
    unit_key: str | None,
    campaign: str | None,
    site: str | None,
    path: str | None,
    sha256: str | None,
    bytes: int | None,
    code_version: str | None,
    settings_hash: str | None,
    attempt: int | None,
) -> int:
    """By its kind of work it leaves with the month of its night, or stays."""
    return ledger.run(
        TOPIC,
        "put_product",
        product_key=product_key,
        job_key=job_key,
        night=night,
        kind=kind,
        unit_key=unit_key,
        campaign=campaign,
        site=site,
        path=path,
        sha256=sha256,
        bytes=bytes,
        code_version=code_version,
        settings_hash=settings_hash,
        attempt=attempt,
    )


def inputs_changed(ledger: Ledger, *, keys: Sequence[str], checksums: Sequence[str]) -> bool:
    """Whether some of these inputs is another product by now, or a quadrant's that is no more: it was reduced
    again.
    """
    found: bool = ledger.value(TOPIC, "inputs_changed", keys=keys, checksums=checksums)
    return found


def delete_product_inputs(ledger: Ledger, *, product_key: str | None, job_key: str | None, night: date | None) -> int:
    """Run `delete_product_inputs`."""
    return ledger.run(TOPIC, "delete_product_inputs", product_key=product_key, job_key=job_key, night=night)


def put_product_inputs(
    ledger: Ledger, *, product_key: str | None, job_key: str | None, night: date | None, inputs: dict[str, Any] | None
) -> int:
    """Run `put_product_inputs`."""
    return ledger.run(
        TOPIC, "put_product_inputs", product_key=product_key, job_key=job_key, night=night, inputs=inputs
    )
