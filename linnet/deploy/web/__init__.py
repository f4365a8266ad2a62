"""The bundle in a browser: a static page that needs no server of its own, and a small one that collects phones' times."""
