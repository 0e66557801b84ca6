"""The messages of each API version, as protobuf descriptors in a pool of their own: packaged data.

`generate/field_catalogue.py` wrote the data. A pool takes 20 ms and 13 MB; the client's own modules take half a second.
Names are those of the API: `type`, where the client's Python code has `type_`.
"""

from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from gads_gaql.catalogue import packaged

_PACKAGE = "google.ads.googleads"


@cache
def message_class(version: str, name: str) -> Any:
    """The class of a message such as `services.GoogleAdsRow`, the same one each time.

    Raises `ConfigurationError` for a version that is not packaged, `KeyError` for an unknown message.
    """
    return GetMessageClass(_pool(version).FindMessageTypeByName(f"{_PACKAGE}.{version}.{name}"))


@cache
def _pool(version: str) -> DescriptorPool:
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(packaged(version, "binpb")).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool
