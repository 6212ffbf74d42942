"""The maps that the ledger knows, with their files in the depot."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from nightshift.code_version import code_version
from nightshift.context import Context
from nightshift.coverage.depth_map import DepthMap
from nightshift.coverage.map_files import map_of_fits
from nightshift.coverage.map_keys import MapKey
from nightshift.errors import NeedsOperator
from nightshift.files import write_whole
from nightshift.keys import LIVE
from nightshift.ledger.queries import coverage as coverage_queries
from nightshift.ledger.queries import jobs as job_queries
from nightshift.ledger.queries import products as product_queries
from nightshift.ledger.queries.coverage import CoverageProduct
from nightshift.night_end.night_rows import night_text
from nightshift.settings import settings_hash
from nightshift.vocabulary import Reason

__all__ = ["MAP", "Made", "WholeMap", "folder_of", "put_product", "read_map", "stored_maps", "whole_map"]

JOB = "coverage"
MAP = "coverage_map"


@dataclass(frozen=True)
class Made:
    """A file that was made of a night, or of all.

    Parameters
    ----------
    unit_key : str
        What it is of.
    kind : str
        Of product.
    name : str
        Of its file.
    content : bytes
    inputs : tuple of (role, key, sha256)
        What it was made from.
    job : str
        The kind of job that it is entered as.
    """

    unit_key: str
    kind: str
    name: str
    content: bytes
    inputs: tuple[tuple[str, str, str], ...] = ()
    job: str = JOB

    @property
    def product_key(self) -> str:
        """Its key in the ledger."""
        return f"{self.unit_key}/{self.kind}"

    @property
    def sha256(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class WholeMap:
    """A map as its file holds it.

    Parameters
    ----------
    sha256 : str
        Of the file.
    depth_map : DepthMap
    nights : dict of date to str
        Of a map of all nights: which nights' maps it is the sum of, by the sha256 of their files.
    """

    sha256: str
    depth_map: DepthMap
    nights: dict[date, str]


def folder_of(context: Context, night: date | None) -> str:
    """Return the folder, below that of coverage, of a night's files or (None) of those of all nights."""
    below = f"{context.site.name}/" if context.deployment.has_several_sites else ""
    return f"{below}{night:%Y/%m%d}" if night else f"{below}cumulative"


def put_product(context: Context, night: date, folder: str, made: Made) -> bool:
    """Let a file appear in the depot and enter it in the ledger, where it is not there as it is.

    Parameters
    ----------
    context : Context
    night : date
        The night that it counts to, and whose archive it goes into.
    folder : str
        Below that of coverage.
    made : Made

    Returns
    -------
    bool
        Whether anything changed.
    """
    path = context.depot.coverage(folder, re.sub(r"[^\w.+-]", "_", made.name))
    row = coverage_queries.product(context.ledger, product_key=made.product_key, night=night)
    if row and (row.sha256, row.night) == (made.sha256, night) and content_of(context, row) is not None:
        return False
    write_whole(path, made.content)
    with context.ledger.transaction() as ledger:
        job_key = f"{made.job}/{night_text(context.site, night)}/{LIVE}"
        site = context.site.name
        subject = night_text(context.site, night)
        job_queries.put_job(
            ledger, job_key=job_key, kind=made.job, subject=subject, campaign=LIVE, site=site, night=night
        )
        job_queries.end_job(ledger, job_key=job_key)
        product_queries.put_product(
            ledger,
            product_key=made.product_key, kind=made.kind, unit_key=made.unit_key, campaign=LIVE, site=site,
            night=night, path=context.depot.relative(path), sha256=made.sha256, bytes=len(made.content),
            code_version=code_version(), settings_hash=_settings_hash(context),
            job_key=job_key, attempt=1,
        )  # fmt: skip
        coverage_queries.count_to_night(ledger, night=night, product_key=made.product_key)
        of_product: dict[str, Any] = {"product_key": made.product_key, "job_key": job_key, "night": night}
        product_queries.delete_product_inputs(ledger, **of_product)
        rows = [{"role": role, "input_key": key, "sha256": sha256} for role, key, sha256 in made.inputs]
        product_queries.put_product_inputs(ledger, **of_product, inputs={"rows": rows})
    return True


def _settings_hash(context: Context) -> str:
    return settings_hash({s.camera.instrument: s.coverage.model_dump() for s in context.deployment.surveys})


def content_of(context: Context, row: CoverageProduct) -> bytes | None:
    """Return the bytes of a product; None where they are gone, or not those that the ledger knows."""
    try:
        content = context.depot.absolute(row.path).read_bytes()
    except FileNotFoundError:
        return None
    return content if hashlib.sha256(content).hexdigest() == row.sha256 else None


def whole_map(context: Context, row: CoverageProduct | None) -> WholeMap | None:
    """Return what a map's file holds; None without a row, or where the file is not what the ledger knows."""
    content = content_of(context, row) if row else None
    return WholeMap(row.sha256, *map_of_fits(content)) if row and content is not None else None


def read_map(context: Context, row: CoverageProduct) -> DepthMap:
    """Return a map that the ledger knows.

    Raises
    ------
    NeedsOperator
        If its file is not what the ledger knows.
    """
    found = whole_map(context, row)
    if found is None:
        raise NeedsOperator(
            Reason.INPUT_LOST,
            f"{row.path} is not in the depot as the ledger knows it. Take it back from the archive, or have the "
            f"map of that night made again: nightshift coverage --again --night {row.night:%Y%m%d}",
        )
    return found.depth_map


def stored_maps(context: Context) -> Mapping[MapKey, CoverageProduct]:
    """Return all maps of the site, of single nights and of all, in the order of their keys."""
    rows = coverage_queries.maps(context.ledger, site=context.site.name)
    return {MapKey.parse(row.unit_key): row for row in rows}
