module hypernetes.org/distro/demo

go 1.26.0
