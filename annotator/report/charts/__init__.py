"""Small charts as inline SVG that takes its colours and type from the page.

Plotting libraries write colours and style attributes into their SVG. The page's own policy forbids
such attributes, and a fixed colour cannot follow the reader's light or dark scheme: hence these few
shapes of our own, whose look is in the style sheet alone.
"""
