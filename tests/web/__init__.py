"""The endpoints of the site, asked over real HTTP."""
