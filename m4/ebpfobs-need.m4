dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl EBPFOBS_NEED(VAR, PKG-CONFIG MODULES, DEBIAN PACKAGE, FEDORA PACKAGE)
dnl Looks for a library that the build cannot do without. What is missing is gathered, so that
dnl EBPFOBS_NEED_REPORT can name everything at once with the packages to install.
AC_DEFUN([EBPFOBS_NEED], [
	PKG_CHECK_MODULES([$1], [$2], [], [
		AS_VAR_APPEND([ebpfobs_missing], ["
    $2: Debian package $3, Fedora package $4"])
		AS_VAR_APPEND([ebpfobs_missing_deb], [" $3"])
		AS_VAR_APPEND([ebpfobs_missing_rpm], [" $4"])
	])
])
AC_DEFUN([EBPFOBS_NEED_REPORT], [
	AS_IF([test -n "$ebpfobs_missing"], [AC_MSG_ERROR([these libraries are missing:
$ebpfobs_missing

  On Debian:  apt-get install$ebpfobs_missing_deb
  On Fedora:  dnf install$ebpfobs_missing_rpm
  Or let dev/setup do it.])])
])
