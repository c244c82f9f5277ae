"""Where people live, as channels send it."""

from pydantic import Field

from services.gateway.schemas.base import Country, Postcode, RequiredText, Sent


class Address(Sent):
    """A postal address."""

    name: RequiredText
    street_lines: list[RequiredText] = Field(min_length=1, max_length=4)
    postcode: Postcode
    city: RequiredText
    country: Country
