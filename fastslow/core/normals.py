"""Standard normal numbers in bulk: vectorised xoshiro256++ streams and the transformation of Box and Muller.

A sequential generator costs as much as the matrix products that it feeds. Here STREAMS x LANES independent generators
run abreast, and logarithm, sine and cosine are polynomials, so that all of it compiles to vector instructions. What
is drawn depends on the state and on the lengths asked for.

Numbers are at most 8.6 in size, where u has 53 bits, and 7.5 in single precision, where it has 40; a larger one has a
chance of 1e-17 and 5e-14.

The state has the shape (STREAMS, 4, LANES), unsigned 64-bit words that are not all zero.
"""

import numpy as np
from numba import njit

STREAMS, LANES = 8, 16
STATE_SHAPE = (STREAMS, 4, LANES)
_HALF = 128
"""Words for radii in a chunk, and as many for angles."""

_17, _19, _23, _41, _45 = (np.uint64(bits) for bits in (17, 19, 23, 41, 45))
_1, _2, _9, _10, _24 = (np.uint64(bits) for bits in (1, 2, 9, 10, 24))
_11 = np.uint64(11)
_LOW_24 = np.uint64(0xFFFFFF)
_PER_53, _PER_40 = 2.0**-53, np.float32(2.0**-40)
_QUARTER = np.pi / 4.0
_MANTISSA, _ONE = np.int64((1 << 52) - 1), np.int64(1023 << 52)
_MANTISSA_32, _ONE_32 = np.int32((1 << 23) - 1), np.int32(127 << 23)
_LN2, _ROOT_HALF = np.log(2.0), np.sqrt(2.0)
_F = np.float32

_vector = njit(cache=True, error_model="numpy", fastmath={"contract"}, nogil=True)


@_vector
def _words(state, words):
    """Advance the generators of one stream and write len(words) words, a multiple of LANES."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    for begin in range(0, len(words), LANES):
        for k in range(LANES):
            a, b, c, d = s0[k], s1[k], s2[k], s3[k]
            total = a + d
            words[begin + k] = ((total << _23) | (total >> _41)) + a
            shifted = b << _17
            c ^= a
            d ^= b
            s0[k], s1[k] = a ^ d, b ^ c
            s2[k] = c ^ shifted
            s3[k] = (d << _45) | (d >> _19)


@_vector
def _pairs64(words, floats, bits, exponents, first, second):
    """Turn words into _HALF pairs of normal numbers: -2 log u is the square of the radius, u has 53 bits."""
    for k in range(_HALF):
        floats[k] = (np.float64(np.int64(words[k] >> _11)) + 0.5) * _PER_53
    for k in range(_HALF):
        # u = 2^e m with m in [1, 2), read off its bits; in a loop of its own, which writes to floats by another name
        exponents[k] = np.float64((bits[k] >> np.int64(52)) - np.int64(1023))
        bits[k] = (bits[k] & _MANTISSA) | _ONE
    for k in range(_HALF):
        # m in [1/sqrt 2, sqrt 2) and log m = 2 artanh t, t = (m - 1)/(m + 1)
        m, e = floats[k], exponents[k]
        large = m > _ROOT_HALF
        m = 0.5 * m if large else m
        e = e + 1.0 if large else e
        t = (m - 1.0) / (m + 1.0)
        q = t * t
        p = 1.0 / 17.0 + q * (1.0 / 19.0 + q * (1.0 / 21.0))
        p = 1.0 / 9.0 + q * (1.0 / 11.0 + q * (1.0 / 13.0 + q * (1.0 / 15.0 + q * p)))
        p = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * p)))
        minus_log = -(e * _LN2 + 2.0 * t * p)
        radius = np.sqrt(2.0 * minus_log if minus_log > 0.0 else 0.0)
        word = words[_HALF + k]
        x = _QUARTER * ((np.float64(np.int64(word >> _10)) + 0.5) * _PER_53 - 1.0)
        y = x * x
        sine = -1.0 / 39916800.0 + y * (1.0 / 6227020800.0 + y * (-1.0 / 1307674368000.0))
        sine = 1.0 / 120.0 + y * (-1.0 / 5040.0 + y * (1.0 / 362880.0 + y * sine))
        sine = x * (1.0 + y * (-1.0 / 6.0 + y * sine))
        cosine = -1.0 / 3628800.0 + y * (1.0 / 479001600.0 + y * (-1.0 / 87178291200.0 + y * (1.0 / 20922789888000.0)))
        cosine = -0.5 + y * (1.0 / 24.0 + y * (-1.0 / 720.0 + y * (1.0 / 40320.0 + y * cosine)))
        cosine = 1.0 + y * cosine
        # The angle is in (-pi/4, pi/4): two more bits mirror it into the other quarters.
        radius = -radius if (word & _2) != 0 else radius
        swapped = (word & _1) != 0
        first[k] = radius * (sine if swapped else cosine)
        second[k] = radius * (cosine if swapped else sine)


@_vector
def _pairs32(words, lows, floats, bits, exponents, first, second):
    """The same in single precision, one word a pair: 40 bits for the radius, 22 and 2 for the angle."""
    for k in range(2 * _HALF):
        floats[k] = (_F(np.int64(words[k] >> _24)) + _F(0.5)) * _PER_40
        lows[k] = np.int32(words[k] & _LOW_24)
    for k in range(2 * _HALF):
        exponents[k] = _F((bits[k] >> np.int32(23)) - np.int32(127))
        bits[k] = (bits[k] & _MANTISSA_32) | _ONE_32
    for k in range(2 * _HALF):
        m, e = floats[k], exponents[k]
        large = m > _F(_ROOT_HALF)
        m = _F(0.5) * m if large else m
        e = e + _F(1.0) if large else e
        t = (m - _F(1.0)) / (m + _F(1.0))
        q = t * t
        p = _F(1.0 / 5.0) + q * (_F(1.0 / 7.0) + q * _F(1.0 / 9.0))
        p = _F(1.0) + q * (_F(1.0 / 3.0) + q * p)
        minus_log = -(e * _F(_LN2) + _F(2.0) * t * p)
        radius = np.sqrt(_F(2.0) * minus_log if minus_log > _F(0.0) else _F(0.0))
        low = lows[k]
        x = _F(_QUARTER) * ((_F(np.int32(low >> np.int32(2))) + _F(0.5)) * _F(2.0**-21) - _F(1.0))
        y = x * x
        sine = _F(1.0 / 120.0) + y * (_F(-1.0 / 5040.0) + y * _F(1.0 / 362880.0))
        sine = x * (_F(1.0) + y * (_F(-1.0 / 6.0) + y * sine))
        cosine = _F(1.0 / 24.0) + y * (_F(-1.0 / 720.0) + y * _F(1.0 / 40320.0))
        cosine = _F(1.0) + y * (_F(-0.5) + y * cosine)
        radius = -radius if (low & np.int32(2)) != 0 else radius
        swapped = (low & np.int32(1)) != 0
        first[k] = radius * (sine if swapped else cosine)
        second[k] = radius * (cosine if swapped else sine)


@njit(cache=True, nogil=True, error_model="numpy")
def fill64(state, out):
    """Fill a vector of doubles with independent standard normal numbers and advance the state."""
    part = -(-len(out) // STREAMS)
    for i in range(STREAMS):
        words = np.empty(2 * _HALF, np.uint64)
        floats, exponents, first, second = np.empty(_HALF), np.empty(_HALF), np.empty(_HALF), np.empty(_HALF)
        bits = floats.view(np.int64)
        place, end = i * part, min((i + 1) * part, len(out))
        while place < end:
            _words(state[i], words)
            _pairs64(words, floats, bits, exponents, first, second)
            one = min(_HALF, end - place)
            out[place : place + one] = first[:one]
            two = min(_HALF, end - place - one)
            out[place + one : place + one + two] = second[:two]
            place += one + two


@njit(cache=True, nogil=True, error_model="numpy")
def fill32(state, out):
    """The same for single precision."""
    part = -(-len(out) // STREAMS)
    for i in range(STREAMS):
        size = 2 * _HALF
        words, lows = np.empty(size, np.uint64), np.empty(size, np.int32)
        floats, exponents = np.empty(size, _F), np.empty(size, _F)
        first, second = np.empty(size, _F), np.empty(size, _F)
        bits = floats.view(np.int32)
        place, end = i * part, min((i + 1) * part, len(out))
        while place < end:
            _words(state[i], words)
            _pairs32(words, lows, floats, bits, exponents, first, second)
            one = min(size, end - place)
            out[place : place + one] = first[:one]
            two = min(size, end - place - one)
            out[place + one : place + one + two] = second[:two]
            place += one + two
