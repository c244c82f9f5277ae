"""The inbox to look at. A mail's own HTML is shown in a frame that runs nothing and reaches nothing."""

from collections.abc import Sequence

from jinja2 import Environment

from simulators.messages.inbox import Arrival

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .4rem .6rem; vertical-align: top }
tr + tr { border-top: 1px solid #ddd } iframe { width: 100%; height: 34rem; border: 1px solid #ddd }
pre { white-space: pre-wrap; background: #f6f5f2; padding: 1rem }
"""
_PAGES = Environment(autoescape=True)
_INBOX = _PAGES.from_string(
    """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mails and SMS</title>
<style>{{ style }}</style>
</head><body><h1>Mails and SMS</h1>
{% if not arrivals %}<p>Nothing has come yet. A restart forgets what came.</p>{% endif %}
<table>{% for one in arrivals %}<tr><td>{{ one.at.strftime("%H:%M:%S") }}</td><td>{{ one.way }}</td>
<td><a href="/?to={{ one.to | urlencode }}">{{ one.to }}</a></td>
<td><a href="/message/{{ one.number }}">{{ one.subject or one.text }}</a></td></tr>{% endfor %}
</table></body></html>"""
)
_MESSAGE = _PAGES.from_string(
    """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ one.subject or one.way }}</title>
<style>{{ style }}</style></head><body><p><a href="/">All</a></p><h1>{{ one.subject or "SMS" }}</h1>
<p>From {{ one.sender }} to {{ one.to }}, {{ one.at.strftime("%d %b %Y %H:%M:%S UTC") }}<br>{{ one.key }}</p>
{% if one.html %}<iframe sandbox="allow-popups" srcdoc="{{ one.html }}"></iframe>{% endif %}
<pre>{{ one.text }}</pre></body></html>"""
)


def inbox_page(arrivals: Sequence[Arrival]) -> str:
    """All of them, newest first."""
    return _INBOX.render(style=_STYLE, arrivals=arrivals)


def message_page(one: Arrival) -> str:
    """One of them, with both its faces."""
    return _MESSAGE.render(style=_STYLE, one=one)
