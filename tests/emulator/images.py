"""Images and their blobs, as the registry lists them.

Both records are frozen: a change of tags makes a new record, so the result of a dry run keeps the images as
they were. An image carries its own JSON text, for a page of a thousand of them must cost no more than a join.
An index has neither config nor layers. Manifests are told of in `manifests.py`.
"""

import dataclasses
import hashlib
import json
from bisect import bisect_left
from functools import cached_property
from typing import Any, Protocol, TypeAlias

from yandex.cloud.containerregistry.v1.blob_pb2 import Blob as BlobMessage
from yandex.cloud.containerregistry.v1.image_pb2 import Image as ImageMessage

from tests.emulator.clock import rfc3339, timestamp
from tests.emulator.manifests import OCI_MANIFEST, Descriptor, digest_of, plain_manifest

_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuv"

SortKey: TypeAlias = tuple[Any, ...]

ORDER_FIELDS = ("name", "digest", "created_at", "last_modified")


def cloud_id(prefix: str, name: str) -> str:
    """A made-up id of the cloud's shape (20 characters), always the same for the same name."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:11], "big")
    letters = [_ID_ALPHABET[number >> 5 * place & 31] for place in range(20 - len(prefix))]
    return prefix + "".join(letters)


@dataclasses.dataclass(frozen=True)
class Blob:
    digest: str
    size: int

    @cached_property
    def json_text(self) -> str:
        size = f',"size":"{self.size}"' if self.size else ""
        return f'{{"id":"crp{self.digest[-17:]}","digest":"{self.digest}"{size}}}'

    @cached_property
    def descriptor_text(self) -> str:
        """As Cloud Registry has it."""
        size = f',"size":"{self.size}"' if self.size else ""
        return f'{{"digest":"{self.digest}"{size}}}'

    def message(self) -> BlobMessage:
        return BlobMessage(id=f"crp{self.digest[-17:]}", digest=self.digest, size=self.size)


@dataclasses.dataclass(frozen=True)
class Image:
    id: str
    name: str
    digest: str
    compressed_size: int
    config: Blob | None
    layers: tuple[Blob, ...]
    tags: tuple[str, ...]
    created_at: float
    modified_at: float
    media_type: str = OCI_MANIFEST
    own_manifest: str | None = None

    @cached_property
    def json_text(self) -> str:
        fields = [f'"id":"{self.id}","name":"{self.name}","digest":"{self.digest}"']
        if self.compressed_size:
            fields.append(f'"compressedSize":"{self.compressed_size}"')
        if self.config:
            fields.append(f'"config":{self.config.json_text}')
        if self.layers:
            fields.append(f'"layers":[{",".join([layer.json_text for layer in self.layers])}]')
        if self.tags:
            fields.append(f'"tags":{json.dumps(self.tags)}')
        fields.append(f'"createdAt":"{rfc3339(self.created_at)}"')
        return "{" + ",".join(fields) + "}"

    def message(self) -> ImageMessage:
        return ImageMessage(
            id=self.id,
            name=self.name,
            digest=self.digest,
            compressed_size=self.compressed_size,
            config=self.config.message() if self.config else None,
            layers=[layer.message() for layer in self.layers],
            tags=self.tags,
            created_at=timestamp(self.created_at),
        )

    def manifest(self) -> str | None:
        """The manifest's text; None for an image of which no more than the digest is known."""
        if self.own_manifest is not None or self.config is None:
            return self.own_manifest
        text = plain_manifest(self.media_type, self.config, self.layers)
        return text if digest_of(text) == self.digest else None

    def descriptor(self) -> Descriptor:
        return Descriptor(self.media_type, self.digest, len((self.manifest() or "").encode()))

    def with_tags(self, tags: tuple[str, ...], now: float) -> "Image":
        return dataclasses.replace(self, tags=tags, modified_at=now)

    def sort_key(self, fields: tuple[str, ...]) -> SortKey:
        if not fields:
            return (self.id,)
        values: dict[str, Any] = {
            "name": self.name,
            "digest": self.digest,
            "created_at": self.created_at,
            "last_modified": self.modified_at,
        }
        return (*(values[field] for field in fields), self.id)


class ImageSet:
    """The images of one repository or registry, with the orders that lists asked for kept up to date."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}
        self._orders: dict[tuple[str, ...], tuple[list[SortKey], list[Image]]] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._images)

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._images

    def get(self, image_id: str) -> Image | None:
        return self._images.get(image_id)

    def put(self, image: Image) -> None:
        if image.id in self._images:
            self.remove(image.id)
        self._images[image.id] = image
        self.version += 1
        for fields, (keys, images) in self._orders.items():
            key = image.sort_key(fields)
            place = bisect_left(keys, key)
            keys.insert(place, key)
            images.insert(place, image)

    def remove(self, image_id: str) -> None:
        image = self._images.pop(image_id)
        self.version += 1
        for fields, (keys, images) in self._orders.items():
            place = bisect_left(keys, image.sort_key(fields))
            del keys[place], images[place]

    def all(self) -> list[Image]:
        return list(self._images.values())

    def ids(self) -> list[str]:
        return list(self._images)

    def ordered(self, fields: tuple[str, ...] = ()) -> tuple[list[SortKey], list[Image]]:
        """Sort keys and images in the order of `fields`, then of ids."""
        if fields not in self._orders:
            pairs = sorted((image.sort_key(fields), image) for image in self._images.values())
            self._orders[fields] = ([key for key, _ in pairs], [image for _, image in pairs])
        return self._orders[fields]


class Shelf(Protocol):
    """A repository of either registry service, as those see it who make images for it."""

    name: str
    images: ImageSet
    owner_of_digest: dict[str, str]
