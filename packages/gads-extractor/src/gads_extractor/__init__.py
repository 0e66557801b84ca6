"""Reads Google Ads reports and writes raw partitions through a sink."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gads_extractor.accounts import GoogleAdsAccountDirectory
    from gads_extractor.call_retry import RetryPolicy
    from gads_extractor.connection import GoogleAdsConnection
    from gads_extractor.report_source import GoogleAdsReportSource
else:  # imported when it is first used, since the official client takes seconds

    def __getattr__(name: str) -> object:
        from importlib import import_module

        homes = {
            "GoogleAdsAccountDirectory": "accounts",
            "GoogleAdsConnection": "connection",
            "GoogleAdsReportSource": "report_source",
            "RetryPolicy": "call_retry",
        }
        if name not in homes:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{homes[name]}"), name)


__all__ = ["GoogleAdsAccountDirectory", "GoogleAdsConnection", "GoogleAdsReportSource", "RetryPolicy"]
