"""Licence plate formats: which symbols a country's plates carry, and in which groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MAX_SYMBOLS = 8

_DIGITS = "0123456789"
_LETTERS_D = "ABCDEFGHJKLMNPRSTUVWXYZ"
_LETTERS_GB = "ABCDEFGHJKLMNOPRSTUVWXYZ"
_LETTERS_GB_AREA = "ABCDEFGHKLMNOPRSVWY"
_LETTERS_F = "ABCDEFGHJKLMNPQRSTVWXYZ"
_LETTERS_I = "ABCDEFGHJKLMNPRSTVWXYZ"
_LETTERS_E = "BCDFGHJKLMNPRSTVWXYZ"
_LETTERS_NL = "BDFGHJKLNPRSTVXZ"
_LETTERS_S = "ABCDEFGHJKLMNOPRSTUWXYZ"
_LETTERS_S_LAST = "ABCDEFGHJKLMNPRSTUWXYZ"

_DISTRICTS_D = (
    "A AA AB AC AK AN AUR B BA BB BC BI BIT BN BO BS BT C CE CO COE CUX D DA DD DE DN DO DU E EF EL EM ER "
    "ES ESW F FB FD FF FG FL FN FR FS G GE GF GI GM GP GT GZ H HA HAL HAM HB HD HE HF HG HH HI HL HN HO HR "
    "HRO HS HST HX IN IZ J K KA KB KE KF KI KL KN KO KR KS KT KU L LA LB LD LG LI LM LU M MA MD MG MH MI MK "
    "MM MR MS MZ N ND NE NF NI NK NM NOH NU NW OA OB OD OF OG OH OL OS P PA PAF PB PE PF PI PM R RA RE RO "
    "RS RT RV RZ S SB SC SE SI SL SN SO SP SR ST SU SW SZ TR TS TUT UE UL UN V VB VEC VK VS W WAF WE WES WI "
    "WL WM WN WO WOB WR WT WUG Z ZW"
).split()

_PATTERNS_NL = ("99-AA-AA", "99-AAA-9", "9-AAA-99", "AA-999-A", "A-999-AA")


@dataclass(frozen=True)
class Plate:
    """One plate's symbols; `groups` are what the plate shows with gaps or dashes between them."""

    country: str
    groups: tuple[str, ...]

    @property
    def reading(self) -> str:
        """Return the symbols in order, without gaps or dashes."""
        return "".join(self.groups)


def _draw(rng: np.random.Generator, symbols: str, count: int) -> str:
    return "".join(symbols[i] for i in rng.integers(0, len(symbols), count))


def _germany(rng: np.random.Generator) -> tuple[str, ...]:
    district = _DISTRICTS_D[rng.integers(len(_DISTRICTS_D))]
    letters = _draw(rng, _LETTERS_D, 2 if rng.random() < 0.8 else 1)
    room = MAX_SYMBOLS - len(district) - len(letters)
    digits = min(room, int(rng.choice([1, 2, 3, 4], p=[0.05, 0.1, 0.35, 0.5])))
    return district, letters, str(rng.integers(10 ** (digits - 1), 10**digits))


def _britain(rng: np.random.Generator) -> tuple[str, ...]:
    area = _draw(rng, _LETTERS_GB_AREA, 1) + _draw(rng, _LETTERS_GB, 1)
    age = int(rng.integers(2, 26)) + (50 if rng.random() < 0.5 else 0)
    return f"{area}{age:02d}", _draw(rng, _LETTERS_GB, 3)


def _france(rng: np.random.Generator) -> tuple[str, ...]:
    return _draw(rng, _LETTERS_F, 2), f"{rng.integers(1, 1000):03d}", _draw(rng, _LETTERS_F, 2)


def _italy(rng: np.random.Generator) -> tuple[str, ...]:
    return _draw(rng, _LETTERS_I, 2), _draw(rng, _DIGITS, 3) + _draw(rng, _LETTERS_I, 2)


def _spain(rng: np.random.Generator) -> tuple[str, ...]:
    return _draw(rng, _DIGITS, 4), _draw(rng, _LETTERS_E, 3)


def _netherlands(rng: np.random.Generator) -> tuple[str, ...]:
    pattern = _PATTERNS_NL[rng.integers(len(_PATTERNS_NL))]
    return tuple(_draw(rng, _DIGITS if g[0] == "9" else _LETTERS_NL, len(g)) for g in pattern.split("-"))


def _sweden(rng: np.random.Generator) -> tuple[str, ...]:
    last = _draw(rng, _DIGITS if rng.random() < 0.5 else _LETTERS_S_LAST, 1)
    return _draw(rng, _LETTERS_S, 3), _draw(rng, _DIGITS, 2) + last


_FORMATS = {
    "D": _germany,
    "GB": _britain,
    "F": _france,
    "I": _italy,
    "E": _spain,
    "NL": _netherlands,
    "S": _sweden,
}
COUNTRIES = tuple(_FORMATS)


def random_plate(rng: np.random.Generator) -> Plate:
    """Draw a country, each as likely as the others, and a plate in its format."""
    country = COUNTRIES[rng.integers(len(COUNTRIES))]
    return Plate(country, _FORMATS[country](rng))
