"""What :class:`Sandbox` takes, checked."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from airflow_provider_itnio.sandbox.addresses import HOST_HEADER
from airflow_provider_itnio.sandbox.api_models import PUSH_ADDRESS, Given, PhoneNumber, PushAddress
from airflow_provider_itnio.sandbox.faults.fault import LONGEST_DELAY
from airflow_provider_itnio.sandbox.faults.random_failures import Shares


def _several(given: Any) -> tuple[Any, ...] | None:
    """Read one value or several, or None for any."""
    return None if given is None else (given,) if isinstance(given, (str, int)) else tuple(given)


Text: TypeAlias = Annotated[str, BeforeValidator(str)]
Host: TypeAlias = Annotated[str, Field(pattern=f"^{HOST_HEADER}$")]
Amount: TypeAlias = Annotated[Decimal, Field(strict=False, ge=0)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SandboxOptions(Given):
    """Those parameters of :class:`Sandbox` that can be wrong; they are described there."""

    app_id: Annotated[Annotated[tuple[Text, ...], Field(min_length=1)] | None, BeforeValidator(_several)] = (
        Field(description="at least one value, or None to accept any")
    )
    business_phone: Annotated[
        Annotated[tuple[PhoneNumber, ...], Field(min_length=1)] | None, BeforeValidator(_several)
    ] = Field(description="at least one value, or None to accept any")
    port: int = Field(ge=0, le=65535, description="a whole number from 0 to 65535")
    allowed_hosts: Annotated[tuple[Host, ...], BeforeValidator(_several)] = Field(
        description="a host such as sandbox, 10.0.0.5 or sandbox:8025"
    )
    clock_tolerance: Seconds = Field(description="seconds, from 0")
    balance: Amount | None = Field(description="an amount from 0")
    price: Amount = Field(description="an amount from 0")
    keep: int = Field(ge=1, description="a whole number from 1")
    fail: Shares = Field(description="a number from 0 to 1, or texts such as 5% or 2.5%:503")
    latency: Seconds = Field(le=LONGEST_DELAY, description=f"seconds, from 0 to {LONGEST_DELAY:g}")
    webhook: PushAddress | None = Field(description=PUSH_ADDRESS)
    push_twice: bool = Field(description="True or False")
    push_disorder: bool = Field(description="True or False")
    push_scale: Seconds = Field(description="a factor from 0")
