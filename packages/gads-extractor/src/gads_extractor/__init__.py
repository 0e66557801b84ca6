"""Reads Google Ads reports and writes raw partitions through a sink.

A name is imported when it is first used, since the official client takes seconds.
"""

from typing import TYPE_CHECKING

from gads_domain.lazy_exports import export_lazily

if TYPE_CHECKING:
    from gads_extractor.accounts import GoogleAdsAccountDirectory as GoogleAdsAccountDirectory
    from gads_extractor.call_retry import RetryPolicy as RetryPolicy
    from gads_extractor.connection import GoogleAdsConnection as GoogleAdsConnection
    from gads_extractor.report_source import GoogleAdsReportSource as GoogleAdsReportSource
else:
    export_lazily(
        globals(),
        {
            ".accounts": "GoogleAdsAccountDirectory",
            ".call_retry": "RetryPolicy",
            ".connection": "GoogleAdsConnection",
            ".report_source": "GoogleAdsReportSource",
        },
    )
