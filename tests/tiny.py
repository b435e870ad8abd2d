"""Two areas of one region on embedded accounts: the head of the small plans of the tests, which say the rest themselves."""

HEAD = """\
version: 1
name: tiny
accounts:
  core: {kind: local, path: state/core.db}
  web: {kind: local, path: state/web.db}
  mail: {kind: local, path: state/mail.db}
areas:
  web-tracking: {containers: [web-*]}
  email-events: {containers: [{name: events, prefix: email/}]}
regions:
  north-america:
    source: core
    targets: {web-tracking: web, email-events: mail}
"""
