"""Models, money, codes, findings, errors and protocols. Pure: no files, sockets or SQL."""
