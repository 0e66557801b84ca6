"""The application as a library: what the command line, a page, a notebook or an orchestrator calls.

The name is imported when it is first used: a worker needs a part of the application, and starts sooner without the
rest.
"""

from typing import TYPE_CHECKING

from gads_domain.lazy_exports import export_lazily

if TYPE_CHECKING:
    from gads_pipeline.pipeline import Pipeline as Pipeline
else:
    export_lazily(globals(), {".pipeline": "Pipeline"})
