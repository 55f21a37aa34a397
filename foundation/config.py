"""What rebuilds a network from a checkpoint: sizes only; no device, path or upload setting."""

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Self

from .crops import NETWORK_SIZE
from .errors import ConfigError
from .landmarks import LANDMARKS


class Config:
    """Base of the configurations: to and from JSON, refusing what it does not know."""

    kind: ClassVar[str]
    """Name and version, written to JSON; another one is refused."""

    def to_dict(self) -> dict[str, Any]:
        """The fields and ``kind``, nested configurations likewise."""
        out: dict[str, Any] = {"kind": self.kind}
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if isinstance(value, Config):
                value = value.to_dict()
            out[item.name] = list(value) if isinstance(value, tuple) else value
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The configuration that `to_dict` wrote.

        Raises:
            ConfigError: another kind, or a key that is unknown or missing.
        """
        values = dict(data)
        if (kind := values.pop("kind", None)) != cls.kind:
            raise ConfigError(f"expected a configuration of kind {cls.kind}, found {kind}")
        types = typing.get_type_hints(cls)
        names = [item.name for item in dataclasses.fields(cls)]  # type: ignore[arg-type]
        if wrong := sorted(set(values) ^ set(names)):
            raise ConfigError(f"{cls.kind}: unknown or missing: {', '.join(wrong)}")
        for name, value in values.items():
            if isinstance(types[name], type) and issubclass(types[name], Config):
                values[name] = types[name].from_dict(value)
            elif isinstance(value, list):
                values[name] = tuple(value)
        return cls(**values)

    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any field."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(Config):
    """Convolutional stem to a grid of tokens, then transformer blocks."""

    kind: ClassVar[str] = "expression-encoder/1"

    size: int = NETWORK_SIZE
    """Side of the crop, pixels."""
    stem_widths: tuple[int, ...] = (24, 48, 96, 192)
    """Channels after each halving of the picture; the last is the width of the tokens."""
    stem_residuals: tuple[int, ...] = (0, 1, 1, 0)
    """Residual blocks after each halving."""
    depth: int = 4
    """Transformer blocks."""
    heads: int = 3
    """Attention heads of each block; they divide the tokens' width."""
    mlp_ratio: float = 3.0
    """Width of each block's MLP in widths of the tokens."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit each other."""
        if len(self.stem_widths) != len(self.stem_residuals):
            raise ConfigError("stem_widths and stem_residuals need one number for each stage")
        if self.size % self.patch:
            raise ConfigError(f"a crop of {self.size} px does not divide into {self.patch} px")
        if self.dim % self.heads:
            raise ConfigError(f"{self.heads} heads do not divide tokens {self.dim} wide")

    @property
    def dim(self) -> int:
        """Width of the tokens."""
        return self.stem_widths[-1]

    @property
    def patch(self) -> int:
        """Side of the square of pixels that one token stands for."""
        return int(2 ** len(self.stem_widths))

    @property
    def side(self) -> int:
        """Tokens along one side."""
        return self.size // self.patch

    @property
    def tokens(self) -> int:
        """Tokens of a crop, row by row."""
        return self.side**2


SIZES: Mapping[str, EncoderConfig] = MappingProxyType(
    {
        "tiny": EncoderConfig(),
        "small": EncoderConfig(
            stem_widths=(32, 64, 128, 384), stem_residuals=(0, 1, 2, 0), depth=8, heads=6
        ),
        "base": EncoderConfig(
            stem_widths=(64, 128, 256, 768),
            stem_residuals=(0, 2, 2, 0),
            depth=12,
            heads=12,
            mlp_ratio=4.0,
        ),
    }
)
"""``tiny`` is what ships; the others are for larger machines."""


@dataclass(frozen=True, kw_only=True)
class MAEConfig(Config):
    """Masked autoencoder around an encoder; its decoder is thrown away after pretraining."""

    kind: ClassVar[str] = "expression-mae/1"

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    mask_ratio: float = 0.75
    """Part of the tokens that the encoder does not see."""
    decoder_dim: int = 128
    decoder_depth: int = 2
    decoder_heads: int = 4

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit each other."""
        if not 0.0 < self.mask_ratio < 1.0:
            raise ConfigError("mask_ratio lies between 0 and 1")
        if self.decoder_dim % self.decoder_heads:
            raise ConfigError("decoder_heads do not divide decoder_dim")


@dataclass(frozen=True, kw_only=True)
class HeadsConfig(Config):
    """What is read from the tokens."""

    kind: ClassVar[str] = "expression-heads/4"

    token_dim: int = 32
    """Numbers kept of every token; together they keep where in the face something is."""
    hidden_dim: int = 384
    """Width of the layer behind points, rotation, place and confidence."""
    meaning_dim: int = 512
    """Width of the two layers behind blendshapes, gaze and embedding."""
    embedding_dim: int = 64
    landmarks: int = len(LANDMARKS)
    fine_dim: int = 16
    """Numbers looked up at each place around a point in the stem's features of 4 px."""
    middle_dim: int = 24
    """Numbers looked up at each point in those of 8 px."""
    detail_hidden_dim: int = 64
    """Width of the layer behind what is looked up at a point."""
    detail_dim: int = 8
    """Numbers that each point tells the layers behind blendshapes, gaze and embedding."""


@dataclass(frozen=True, kw_only=True)
class ExpressionConfig(Config):
    """Encoder and heads: the network that reads expressions."""

    kind: ClassVar[str] = "expression-net/1"

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    heads: HeadsConfig = field(default_factory=HeadsConfig)
