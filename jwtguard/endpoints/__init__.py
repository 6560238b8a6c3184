"""Small applications to mount behind a guard."""

from jwtguard.endpoints.forward import Forward

__all__ = ["Forward"]
