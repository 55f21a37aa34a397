#!/bin/sh
# Makes sure that Debian/Ubuntu packages are there: installs them where it may, else says how.
#   tools/system-packages.sh [PROGRAM:]PACKAGE...
# A package with a program is not needed where that program is there from elsewhere.
set -u
missing=""
for wanted in "$@"; do
    package=${wanted##*:}
    case $wanted in
    *:*) command -v "${wanted%%:*}" >/dev/null && continue ;;
    esac
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    run=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    run="sudo"
else
    echo "These system packages are missing; install them, then run the command again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y$missing" >&2
    exit 1
fi
echo "installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$run apt-get update -qq >/dev/null
# shellcheck disable=SC2086  # the list is meant to be split
$run apt-get install -y -qq --no-install-recommends $missing >/dev/null || {
    echo "apt-get could not install:$missing" >&2
    exit 1
}
