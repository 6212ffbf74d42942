"""The shape of an image, however many axes a camera writes. Nothing heavy is imported: the ingest asks it too."""

__all__ = ["plane_shape"]


def plane_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an image without the axes of length one that some cameras put before rows and columns."""
    leading = next((k for k, size in enumerate(shape[:-2]) if size != 1), max(len(shape) - 2, 0))
    return shape[leading:]
