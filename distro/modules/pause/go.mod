module hypernetes.org/distro/pause

go 1.26.0
