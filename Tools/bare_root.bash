# Read by Tools/package: a bare Debian root folder, and running a program in it. Needs Tools/requirements.bash.

debian_cache=${XDG_CACHE_HOME:-$HOME/.cache}/quern

# Why there is no root; empty as long as nothing has failed.
no_root=

# need_root_rights: false, with no_root set, where this user may not chroot or mount.
need_root_rights() {
    if ! as_root true; then
        no_root="chroot needs root, and this user is not root and has no sudo"
    elif ! as_root unshare --mount --propagation private sh -c 'mount -t proc proc /proc && chroot / true' 2>/dev/null; then
        no_root="this machine does not permit chroot, or mounts in a namespace of their own; a container without privileges is like that"
    fi
    [ -z "$no_root" ]
}

# The archive that apt on this machine gets Debian from; nothing where it gets another system, and debootstrap then uses its own.
debian_mirror() {
    apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "Debian" && $2 !~ /[-\/]/ { print $3; exit }'
}

# make_debian_root FOLDER: an empty folder becomes the smallest Debian stable that debootstrap makes. The first result is kept as an
# archive, so that the next one takes seconds. False, with no_root set, where that is impossible.
make_debian_root() {
    local folder=$1 log=.build/logs/debootstrap.log start=$SECONDS proxy=
    local archive=$debian_cache/debian-stable-$(uname -m).tar.gz
    if [ -f "$archive" ]; then
        say "Debian root: $archive, made $(date -r "$archive" +%F); delete it to get a newer one"
        as_root tar -xpzf "$archive" -C "$folder" && return
        no_root="$archive could not be unpacked; delete it and try again"
        return 1
    fi
    if ! as_root sh -c 'command -v debootstrap' >/dev/null && ! install_packages debootstrap; then
        no_root="debootstrap is missing and could not be installed"
        return 1
    fi
    command -v apt-config >/dev/null && eval "$(apt-config shell proxy Acquire::http::Proxy)"
    [ "$proxy" = DIRECT ] && proxy=
    say "Debian root: debootstrap --variant=minbase stable, a minute or two (log: $log)"
    # Without a mirror there is no argument. The namespace ends debootstrap's own mounts, however it ends.
    # shellcheck disable=SC2046
    if ! as_root env ${proxy:+"http_proxy=$proxy"} unshare --mount --propagation private debootstrap --variant=minbase stable "$folder" $(debian_mirror) >"$log" 2>&1; then
        tail -n 5 "$log"
        no_root="debootstrap failed (see $log)"
        return 1
    fi
    as_root find "$folder/var/cache/apt/archives" "$folder/var/lib/apt/lists" -type f -delete
    say "Debian root: done in $((SECONDS - start)) s, kept as $archive"
    mkdir -p "$debian_cache" && as_root tar -C "$folder" -c . | gzip -1 >"$archive.$$" && mv "$archive.$$" "$archive" && return
    rm -f "$archive.$$"
    say "could not be kept; the next run makes it again"
}

# in_root FOLDER COMMAND...: with /proc and without anything else of this machine, its environment included. The mount lives in a
# namespace of its own and ends with the command, however that ends.
in_root() {
    as_root unshare --mount --propagation private bash -c \
        'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i PATH=/usr/bin:/bin "$@"' "$@"
}

# remove_root FOLDER: refuses where something is mounted inside.
remove_root() {
    [ -d "$1" ] || return 0
    if grep -qF " $1/" /proc/self/mounts; then
        say "$1 is left: something is mounted in it"
    else
        as_root rm -rf --one-file-system "$1"
    fi
}
