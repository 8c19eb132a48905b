"""What JSON files that unweave wrote must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from unweave._files import checksum_of

__all__ = ["Content", "Part", "first_fault"]

_CHANGED = "its contents are not those that were written"


class Part(BaseModel):
    """What a part of a JSON file that unweave wrote holds at least; it may hold more."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Content(Part):
    """What all of such a file holds."""

    checksum: str | None = None
    """Checksum of all else in the file; files of earlier versions have none."""

    @classmethod
    def fault(cls, content: Mapping[str, Any]) -> str | None:
        """What is wrong with the content of a file of this kind."""
        try:
            cls.model_validate(content)
        except ValidationError as error:
            return first_fault(error)
        if "checksum" in content and content["checksum"] != checksum_of(content):
            return _CHANGED
        return None


def first_fault(error: ValidationError) -> str:
    """Which key is wrong, and why."""
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}{': ' if place else ''}{message[0].lower()}{message[1:]}"
