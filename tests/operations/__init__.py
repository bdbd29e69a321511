"""Roll out, operate, take out: what docs/ tells those who run a site, done for real."""
