"""An image less its reference: the kernel, the subtraction, its score, and the candidates in it."""
