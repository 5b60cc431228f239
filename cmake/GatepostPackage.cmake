# The Debian package: `cmake --build build/release --target package`, or `cpack` there once gatepost is built. What only a package has
# (the unit, /etc/gatepost) is the component `debian`, which `cmake --install` leaves out.
set(debian ${CMAKE_SOURCE_DIR}/deploy/debian)
set(only_debian COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${debian}/gatepost.yaml DESTINATION /etc/gatepost ${only_debian})
install(FILES ${CMAKE_SOURCE_DIR}/deploy/systemd/gatepost.service ${CMAKE_SOURCE_DIR}/deploy/systemd/gatepost.socket
        DESTINATION lib/systemd/system ${only_debian})
install(FILES ${debian}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} ${only_debian})
install(DIRECTORY DESTINATION /etc/gatepost/tls ${only_debian})
# For operators to copy from; nothing of other packages is switched on by this one.
foreach(examples fail2ban prometheus grafana)
    if(IS_DIRECTORY ${CMAKE_SOURCE_DIR}/deploy/${examples})
        install(DIRECTORY ${CMAKE_SOURCE_DIR}/deploy/${examples} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples ${only_debian})
    endif()
endforeach()

set(changelog ${CMAKE_BINARY_DIR}/debian/changelog.gz)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/debian/changelog @ONLY CONTENT "gatepost (@PROJECT_VERSION@) unstable; urgency=medium

  * See the history of the repository.

 -- Gatepost <gatepost@localhost>  Thu, 01 Jan 2026 00:00:00 +0000
")
execute_process(COMMAND gzip --no-name --best --keep --force ${CMAKE_BINARY_DIR}/debian/changelog)
install(FILES ${changelog} DESTINATION ${CMAKE_INSTALL_DOCDIR} ${only_debian})

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};gatepost;Unspecified;/;${CMAKE_BINARY_DIR};gatepost;debian;/")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_NAME gatepost)
set(CPACK_PACKAGE_VENDOR Gatepost)
set(CPACK_PACKAGE_CONTACT "Gatepost <gatepost@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "SMTP authentication gateway")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "SMTP authentication gateway
 Gatepost stands between mail clients and mail servers. It does TLS, asks for
 a user name and password by any SASL mechanism, holds limits, and passes the
 mail of authenticated users on, message by message.")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
# Libraries of headers are compiled in, so no dependency tells them: by this field the bill of materials of the image, and whoever looks for
# vulnerabilities, knows them. CPack has no variable for it, but writes values as they are; so it stands behind another field.
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
find_program(DPKG_QUERY dpkg-query)
if(DPKG_QUERY)
    execute_process(COMMAND ${DPKG_QUERY} --show --showformat "\${source:Package} (= \${source:Version})\\n" libcli11-dev nlohmann-json3-dev
                    OUTPUT_VARIABLE compiled_in OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE unknown ERROR_QUIET)
    if(NOT unknown)
        string(REPLACE "\n" ", " compiled_in "${compiled_in}")
        string(APPEND CPACK_DEBIAN_PACKAGE_SECTION "\nStatic-Built-Using: ${compiled_in}")
    endif()
endif()
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# Mechanisms are loaded, not linked, so dpkg-shlibdeps does not see them.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.54), libsasl2-modules")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)
include(CPack)
