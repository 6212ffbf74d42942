"""The image of one quadrant with its variance, mask and place on the sky, in memory and as FITS."""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits.hdu.compressed._compression import CfitsioException  # it has no public name
from astropy.io.fits.verify import VerifyError
from astropy.wcs import WCS

from reduction.image.compression import NO_COMPRESSION, Compression, image_unit
from reduction.problems import Problem, Unusable

__all__ = ["Frame", "read_frame", "read_mask", "write_frame", "write_units"]

# What the file's structure and the WCS say by themselves; a header that was read must not repeat it.
_STRUCTURE = re.compile(
    r"XTENSION|SIMPLE|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|EXTNAME|CHECKSUM|DATASUM|EXTEND"
    r"|WCSAXES|(CRPIX|CRVAL|CDELT|CTYPE|CUNIT)[12]|(CD|PC)[12]_[12]|PV[12]_\d+|(A|B|AP|BP)_(ORDER|\d_\d)"
    r"|LONPOLE|LATPOLE|RADESYS|EQUINOX|MJDREF"
)
BITS = 13  # of a mask
# What astropy raises where a file is cut short or its bytes are spoilt; to be caught around reading only, since most
# of it would be a defect elsewhere.
BROKEN = (OSError, LookupError, TypeError, ValueError, AttributeError, VerifyError, CfitsioException)


@dataclass(frozen=True)
class Frame:
    """One quadrant's image.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        ADU as read; electrons once the gain was applied.
    variance : ndarray of float32, same shape, or None
        Of the image, in its unit squared. None before it is known.
    mask : ndarray of uint16, same shape
        Bits of `reduction.image.mask.MaskBit`.
    wcs : astropy.wcs.WCS or None
        Pixel (0-based) to ICRS degrees.
    header : dict
        Scalars that travel with it and are written as FITS keywords (at most 8 characters, capitals).
    overscan : ndarray of float32, shape (rows, n), or None
        Where the camera writes the overscan as an image of its own: each row beside the image's. It is not written.
    """

    image: np.ndarray
    mask: np.ndarray
    variance: np.ndarray | None = None
    wcs: WCS | None = None
    header: dict[str, Any] = field(default_factory=dict)
    overscan: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.image.shape
        return rows, columns


def write_frame(
    stream: BinaryIO,
    frame: Frame,
    extensions: Sequence[fits.ImageHDU] = (),
    compression: Compression = NO_COMPRESSION,
) -> None:
    """Write a frame as multi-extension FITS: ``SCI`` (float32), ``MASK`` (int16: no bit above 12), ``VAR`` (float32).

    `extensions` come after them, never compressed. All carry CHECKSUM and DATASUM. `stream` is open for writing and
    reading in binary.
    """
    header = fits.Header()
    if frame.wcs is not None:
        header.update(frame.wcs.to_header(relax=True))
    for key, value in frame.header.items():
        header[key] = value
    lossy, image, variance = compression.steps_per_noise is not None, frame.image, frame.variance
    step = compression.image_step(variance)
    units = [
        fits.PrimaryHDU(),
        image_unit(image.astype(np.float32, copy=False), header, "SCI", compress=lossy, step=step),
        image_unit(frame.mask.astype(np.int16), None, "MASK", compress=compression.masks),
    ]
    if variance is not None:
        step = compression.variance_step(variance)
        units.append(image_unit(variance.astype(np.float32, copy=False), None, "VAR", compress=lossy, step=step))
    units.extend(extensions)
    write_units(stream, units)


def write_units(stream: BinaryIO, units: Iterable[fits.PrimaryHDU | fits.ImageHDU | fits.BinTableHDU]) -> None:
    """Write FITS units with CHECKSUM and DATASUM, each of what is in the file: of a compressed image, its table.

    Their comments do not have the time of writing in them: the same data give the same bytes.
    """
    plain, summed = io.BytesIO(), io.BytesIO()  # astropy does not write to a file that was opened to be new
    fits.HDUList(list(units)).writeto(plain)
    plain.seek(0)
    # Before they are written there is only the image to take the sums of, which astropy then keeps as ZHECKSUM: it
    # would be wrong of what comes out of a lossy compression.
    with fits.open(plain, disable_image_compression=True) as written:
        for unit in written:
            unit.add_checksum(when="of this unit")
        written.writeto(summed)
    stream.write(summed.getbuffer())


def read_frame(path: Path) -> Frame:
    """Read a frame that `write_frame` wrote, compressed or not.

    Returns
    -------
    Frame
        Arrays in the machine's byte order. ``header`` holds every keyword of ``SCI`` but the WCS's own and those
        of the file's structure.

    Raises
    ------
    Unusable
        ``unreadable_file`` where it is no such file.
    """
    try:
        with fits.open(path, memmap=True) as units:
            science, mask, names = units["SCI"], units["MASK"].data, {unit.name for unit in units}
            variance = units["VAR"].data if "VAR" in names else None
            cards = {card.keyword: card.value for card in science.header.cards}
            image = np.array(science.data, dtype=np.float32)
            mask = np.array(mask, dtype=np.int16)
            variance = None if variance is None else np.array(variance, dtype=np.float32)
            wcs = WCS(science.header) if "CTYPE1" in cards else None
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of what is on it
            raise
        raise Unusable(Problem.UNREADABLE_FILE, f"{path.name} is no calibrated image or master: {error}") from error
    if not image.ndim == 2 or any(plane is not None and plane.shape != image.shape for plane in (mask, variance)):
        raise Unusable(
            Problem.UNREADABLE_FILE, f"{path.name} is no calibrated image or master: planes of different shapes"
        )
    own = {
        key: value
        for key, value in cards.items()
        if key and key not in ("COMMENT", "HISTORY") and not _STRUCTURE.fullmatch(key)
    }
    return Frame(image, mask.view(np.uint16), variance, wcs, own)


def read_mask(path: Path) -> np.ndarray:
    """Read a mask of bad pixels: the first image of whole numbers of a FITS file, bits as in `reduction.image.mask`.

    Returns
    -------
    ndarray of uint16, shape (rows, columns)

    Raises
    ------
    Unusable
        ``unreadable_file``, where there is no such image or a number is no sum of known bits.
    """
    try:
        with fits.open(path, memmap=False) as units:
            found = next((u.data for u in units if u.is_image and u.data is not None and u.data.ndim == 2), None)
    except BROKEN as error:
        raise Unusable(Problem.UNREADABLE_FILE, f"{path.name}: {error}") from error
    if found is None or found.dtype.kind not in "iu":
        raise Unusable(Problem.UNREADABLE_FILE, f"{path.name}: a mask of bad pixels is an image of whole numbers")
    if found.min() < 0 or found.max() >= 1 << BITS:
        raise Unusable(Problem.UNREADABLE_FILE, f"{path.name}: a mask's values lie from 0 to {(1 << BITS) - 1}")
    mask: np.ndarray = found.astype(np.uint16)
    return mask
