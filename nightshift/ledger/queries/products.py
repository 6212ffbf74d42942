"""The named queries of ``sql/queries/products.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from datetime import date
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = ["delete_product_inputs", "put_product", "put_product_inputs"]

TOPIC = "products"


def put_product(
    ledger: Ledger,
    *,
    product_key: str | None,
    kind: str | None,
    unit_key: str | None,
    campaign: str | None,
    site: str | None,
    night: date | None,
    path: str | None,
    sha256: str | None,
    bytes: int | None,
    code_version: str | None,
    settings_hash: str | None,
    job_key: str | None,
    attempt: int | None,
) -> int:
    """Run `put_product`."""
    return ledger.run(
        TOPIC,
        "put_product",
        product_key=product_key,
        kind=kind,
        unit_key=unit_key,
        campaign=campaign,
        site=site,
        night=night,
        path=path,
        sha256=sha256,
        bytes=bytes,
        code_version=code_version,
        settings_hash=settings_hash,
        job_key=job_key,
        attempt=attempt,
    )


def delete_product_inputs(ledger: Ledger, *, product_key: str | None) -> int:
    """Run `delete_product_inputs`."""
    return ledger.run(TOPIC, "delete_product_inputs", product_key=product_key)


def put_product_inputs(ledger: Ledger, *, product_key: str | None, inputs: dict[str, Any] | None) -> int:
    """Run `put_product_inputs`."""
    return ledger.run(TOPIC, "put_product_inputs", product_key=product_key, inputs=inputs)
