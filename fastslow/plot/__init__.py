"""Pictures of results: functions that draw on given axes and return them, and figures made of them.

Each module draws one kind of picture: `fastslow.plot.portrait.portrait(axes, analysis)` draws a portrait on axes of
your own, `portrait_figure(analysis)` makes a figure of it. ``fastslow.plot.style.STYLE`` is the style of all.
"""
