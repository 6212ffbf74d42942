"""From the sky to the pixels of one quadrant, and the WCS that its header claims."""

from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from nightshift.settings import Camera
from rehearsal.simulator.image_sections import data_bounds

__all__ = ["Pointing", "UnitGeometry", "deproject", "focal_radius_arcsec", "project", "unit_geometry", "wcs_header"]

ARCSEC = 206264.80624709636
DISTORTION = 2.5e-10  # per square arcsecond: 0.13" at 800" from the axis


def project(
    ra_deg: np.ndarray | float, dec_deg: np.ndarray | float, ra0_deg: float, dec0_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gnomonic standard coordinates (east, north) in arcseconds about a centre."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    ra0, dec0 = np.radians(ra0_deg), np.radians(dec0_deg)
    cosine = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    east = np.cos(dec) * np.sin(ra - ra0) / cosine
    north = (np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / cosine
    return east * ARCSEC, north * ARCSEC


def deproject(
    east_arcsec: np.ndarray | float, north_arcsec: np.ndarray | float, ra0_deg: float, dec0_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return right ascension and declination in degrees of standard coordinates in arcseconds."""
    east, north = np.asarray(east_arcsec) / ARCSEC, np.asarray(north_arcsec) / ARCSEC
    dec0 = np.radians(dec0_deg)
    down = np.cos(dec0) - north * np.sin(dec0)
    ra = np.radians(ra0_deg) + np.arctan2(east, down)
    dec = np.arctan2(np.sin(dec0) + north * np.cos(dec0), np.hypot(east, down))
    return np.degrees(ra) % 360.0, np.degrees(dec)


@dataclass(frozen=True)
class Pointing:
    """Where the telescope really looked: boresight in degrees, and the camera's rotation from north."""

    ra_deg: float
    dec_deg: float
    rotation_deg: float = 0.0


@dataclass(frozen=True)
class UnitGeometry:
    """Where one quadrant lies in the focal plane.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the data, without overscan.
    centre_arcsec : tuple of float
        Of the data, from the boresight along the camera's (x, y).
    scale : float
        Arcseconds a pixel.
    parity : int
        Sign of east along x.
    """

    shape: tuple[int, int]
    centre_arcsec: tuple[float, float]
    scale: float
    parity: int

    def focal(self, x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Return focal-plane coordinates in arcseconds of 0-based pixel positions, before distortion."""
        rows, columns = self.shape
        return (
            (np.asarray(x) - (columns - 1) / 2) * self.scale + self.centre_arcsec[0],
            (np.asarray(y) - (rows - 1) / 2) * self.scale + self.centre_arcsec[1],
        )

    def pixels(
        self, ra_deg: np.ndarray | float, dec_deg: np.ndarray | float, pointing: Pointing
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the true 0-based pixel positions (x, y) in the data of places of the sky."""
        east, north = project(ra_deg, dec_deg, pointing.ra_deg, pointing.dec_deg)
        angle = np.radians(pointing.rotation_deg)
        u = self.parity * east
        x = u * np.cos(angle) + north * np.sin(angle)
        y = -u * np.sin(angle) + north * np.cos(angle)
        stretch = 1.0 + DISTORTION * (x * x + y * y)
        rows, columns = self.shape
        return (
            (x * stretch - self.centre_arcsec[0]) / self.scale + (columns - 1) / 2,
            (y * stretch - self.centre_arcsec[1]) / self.scale + (rows - 1) / 2,
        )

    def nominal_standard(self, x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Return (east, north) in arcseconds of pixels, for a perfect pointing without distortion."""
        u, v = self.focal(x, y)
        return self.parity * u, v


def unit_geometry(camera: Camera, detector: int, quadrant: int) -> UnitGeometry:
    """Return the place of one quadrant in the focal plane, by the camera's settings."""
    description = camera.quadrant(detector, quadrant)
    x0, x1, y0, y1 = data_bounds(description)
    chip = next(d for d in camera.detectors if d.id == detector)
    centre = (
        chip.sky_offset_arcsec[0] + description.sky_offset_arcsec[0],
        chip.sky_offset_arcsec[1] + description.sky_offset_arcsec[1],
    )
    return UnitGeometry((y1 - y0, x1 - x0), centre, camera.pixel_scale_arcsec, camera.parity)


def focal_radius_arcsec(camera: Camera) -> float:
    """Return the distance of the camera's farthest pixel from the boresight, in arcseconds."""
    farthest = 0.0
    for detector in camera.detectors:
        for quadrant in camera.quadrant_ids if detector.in_service else ():
            unit = unit_geometry(camera, detector.id, quadrant)
            rows, columns = unit.shape
            u, v = unit.focal(np.array([0, columns, 0, columns]), np.array([0, 0, rows, rows]))
            farthest = max(farthest, float(np.hypot(u, v).max()))
    return farthest


def wcs_header(camera: Camera, detector: int, quadrant: int, ra_deg: float, dec_deg: float) -> fits.Header:
    """Return the linear WCS that the camera writes, for the raw image with its overscan.

    It knows the commanded boresight only: neither the pointing error nor the distortion. `CRPIX` counts in
    the raw image; whoever trims subtracts the columns and rows that were cut off before the data.
    """
    unit = unit_geometry(camera, detector, quadrant)
    x0, _, y0, _ = data_bounds(camera.quadrant(detector, quadrant))
    rows, columns = unit.shape
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CUNIT1"], header["CUNIT2"] = "deg", "deg"
    header["RADESYS"] = "ICRS"
    header["CRVAL1"], header["CRVAL2"] = ra_deg, dec_deg
    header["CRPIX1"] = x0 + (columns + 1) / 2 - unit.centre_arcsec[0] / unit.scale
    header["CRPIX2"] = y0 + (rows + 1) / 2 - unit.centre_arcsec[1] / unit.scale
    header["CD1_1"], header["CD1_2"] = unit.parity * unit.scale / 3600, 0.0
    header["CD2_1"], header["CD2_2"] = 0.0, unit.scale / 3600
    return header
