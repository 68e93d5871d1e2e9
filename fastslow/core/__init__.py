"""Numba kernels: functions of floats and arrays that return arrays and an integer status.

Nothing in here knows of a model, an object or an exception; the public modules
above wrap each kernel, call it once per branch or batch, and turn its status
into a sentence.
"""
