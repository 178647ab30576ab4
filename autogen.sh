#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes ./configure from configure.ac; needed once after a clone.
set -e
cd "$(dirname "$0")"
# It would keep the version of the commit that it was made from.
rm -rf autom4te.cache
exec autoreconf --force --install --warnings=all
