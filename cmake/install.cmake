# What `cmake --install` puts where. Every path is relative to the prefix, so that the tree can be moved and the prefix
# chosen at install time (--prefix, DESTDIR).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Libraries that a user of the static library must link: the shared ones of the system, by name. Not Requires.private:
# that would ask for the development files of libraries below libzip and HDF5 (bz2, ssl, ..), which Debian does not
# pull in, and would ask users of the shared library for those of ours.
set(private_libs ${DEPS_LDFLAGS} -llzf)
foreach(library ${openmp} m)
  if(IS_ABSOLUTE ${library})
    list(APPEND private_libs ${library})
  else()
    list(APPEND private_libs -l${library})
  endif()
endforeach()
foreach(target mpno_shared mpno_static)
  target_include_directories(${target} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
target_link_libraries(mpno_static INTERFACE "$<INSTALL_INTERFACE:${private_libs}>")

install(TARGETS mpno_shared mpno_static EXPORT mpno)
install(TARGETS mpno_program)
install(DIRECTORY include/mpno TYPE INCLUDE)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mpno)
install(EXPORT mpno NAMESPACE mpno:: FILE mpnoConfig.cmake DESTINATION ${package_folder})
write_basic_package_version_file(mpnoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mpnoConfigVersion.cmake DESTINATION ${package_folder})

file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH pc_libdir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH pc_includedir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
list(JOIN private_libs " " pc_private)
configure_file(cmake/mpno.pc.in mpno.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mpno.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Manual pages and completions are made from what the program says of itself, so they need one that runs here.
if(NOT CMAKE_CROSSCOMPILING)
  set(manual ${CMAKE_CURRENT_BINARY_DIR}/manual)
  add_custom_command(OUTPUT ${manual}/made COMMENT "Writing manual pages and completions"
    COMMAND sh ${PROJECT_SOURCE_DIR}/scripts/make_manual.sh $<TARGET_FILE:mpno_program> ${manual}
    DEPENDS mpno_program ${PROJECT_SOURCE_DIR}/scripts/make_manual.sh ${PROJECT_SOURCE_DIR}/scripts/manual_page.awk
            ${PROJECT_SOURCE_DIR}/scripts/completion.awk
    VERBATIM)
  add_custom_target(manual ALL DEPENDS ${manual}/made)
  install(DIRECTORY ${manual}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR})
  install(FILES ${manual}/mpno.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME mpno)
  install(FILES ${manual}/_mpno DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${manual}/mpno.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
