"""Run by the Python that has sfft: subtract ``pair.npz`` of a folder in tiles, to ``difference.npy``."""

import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from sfft.CustomizedPacket import Customized_Packet

TILES, MARGIN = 4, 16


def main(folder: Path) -> None:
    """Subtract tile by tile, all of one size; what it compiles for the first is not counted."""
    given = np.load(folder / "pair.npz")
    science, reference, usable = given["science"], given["reference"], given["usable"]
    difference = np.zeros_like(science)
    cells = [np.linspace(0, size, TILES + 1).astype(int) for size in science.shape]
    sides = [size // TILES + 2 * MARGIN for size in science.shape]
    began = None
    for top, bottom in zip(cells[0][:-1], cells[0][1:], strict=True):
        for left, right in zip(cells[1][:-1], cells[1][1:], strict=True):
            row = min(max(top - MARGIN, 0), science.shape[0] - sides[0])
            column = min(max(left - MARGIN, 0), science.shape[1] - sides[1])
            cut = np.s_[row : row + sides[0], column : column + sides[1]]
            if began is None:
                subtract(folder, science[cut], reference[cut], usable[cut])
                began = time.process_time()
            part = subtract(folder, science[cut], reference[cut], usable[cut])
            difference[top:bottom, left:right] = part[top - row : bottom - row, left - column : right - column]
    np.save(folder / "difference.npy", difference)
    (folder / "seconds").write_text(str(time.process_time() - (began or 0.0)))


def subtract(folder: Path, science: np.ndarray, reference: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return the difference of one tile."""
    names = {}
    images = {
        "sci": science,
        "ref": reference,
        "msci": np.where(usable, science, 0),
        "mref": np.where(usable, reference, 0),
    }
    for name, image in images.items():
        names[name] = str(folder / f"tile_{name}.fits")
        fits.writeto(names[name], image.astype(np.float64), overwrite=True)
    solved = Customized_Packet.CP(
        FITS_REF=names["ref"], FITS_SCI=names["sci"], FITS_mREF=names["mref"], FITS_mSCI=names["msci"],
        FITS_DIFF=None, FITS_Solution=None, ForceConv="REF", GKerHW=6, KerPolyOrder=2, BGPolyOrder=1,
        ConstPhotRatio=False, BACKEND_4SUBTRACT="Numpy", NUM_CPU_THREADS_4SUBTRACT=1, VERBOSE_LEVEL=0,
    )  # fmt: skip
    return np.asarray(solved[1]).T


if __name__ == "__main__":
    main(Path(sys.argv[1]))
