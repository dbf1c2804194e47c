#!/usr/bin/env bash
# The nodes' role and its database. Run by the PostgreSQL image of compose.yml when it starts on an empty volume, and never again.
set -euo pipefail

psql -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d postgres <<'SQL'
\set password `cat /run/secrets/allclear_password`
create role allclear login password :'password';
create database allclear owner allclear encoding 'UTF8' template template0;
revoke connect, temporary on database allclear from public;
SQL
