# One static library per folder of src/, each on top of the one before (side rooms first; src/LAYERS says who may include
# whom), so that a test of a low folder builds and links only what stands below it. `mpno_static` and
# `mpno_shared` are all of them.
set(LAYERS core number data report kernel transform pde graph model certify train experiment)

# Experiments are YAML files that the library carries with it.
file(GLOB experiment_grids CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/experiment/grids/*.yaml)
set(experiment_texts ${CMAKE_CURRENT_BINARY_DIR}/experiment_grids.c)
add_custom_command(OUTPUT ${experiment_texts} COMMENT "Embedding experiments"
  COMMAND ${CMAKE_COMMAND} -DOUT=${experiment_texts} -DPREFIX=mpno_grid_text_ "-DTEXTS=${experiment_grids}"
          -P ${PROJECT_SOURCE_DIR}/cmake/embed_texts.cmake
  DEPENDS ${experiment_grids} ${PROJECT_SOURCE_DIR}/cmake/embed_texts.cmake VERBATIM)

set(below "")
set(objects "")
foreach(layer ${LAYERS})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*.c)
  if(NOT sources)
    continue()
  endif()
  if(layer STREQUAL experiment)
    list(APPEND sources ${experiment_texts})
  endif()
  add_library(mpno_${layer}_objects OBJECT ${sources})
  target_include_directories(mpno_${layer}_objects PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(mpno_${layer}_objects PRIVATE mpno_flags PkgConfig::DEPS OpenMP::OpenMP_C)
  add_library(mpno_${layer} STATIC $<TARGET_OBJECTS:mpno_${layer}_objects>)
  target_link_libraries(mpno_${layer} PUBLIC ${below} PkgConfig::DEPS ${LZF_LIBRARY} OpenMP::OpenMP_C m)
  set(below mpno_${layer})
  list(APPEND objects $<TARGET_OBJECTS:mpno_${layer}_objects>)
endforeach()

include(CheckCCompilerFlag)
# Kernels: optimised for the auto-vectoriser, one translation unit per ISA, chosen at run time.
file(GLOB_RECURSE kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernel/*.c)
set(avx512 "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mfma;-mf16c;-mprefer-vector-width=512")
check_c_compiler_flag("-mavx512bf16" MPNO_HAVE_AVX512_BF16)
check_c_compiler_flag("-mamx-tile -mamx-bf16" MPNO_HAVE_AMX_BF16)
foreach(known AVX512_BF16 AMX_BF16)
  if(MPNO_HAVE_${known})
    target_compile_definitions(mpno_flags INTERFACE MPNO_HAVE_${known})
  endif()
endforeach()
foreach(source ${kernel_sources})
  if(source MATCHES "/ref/")
    set(flags "")
  elseif(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i686")
    set(flags "-O3")
  elseif(source MATCHES "amx" AND MPNO_HAVE_AMX_BF16)
    set(flags "-O3;${avx512};-mavx512bf16;-mamx-tile;-mamx-bf16")
  elseif(source MATCHES "avx512_bf16" AND MPNO_HAVE_AVX512_BF16)
    set(flags "-O3;${avx512};-mavx512bf16")
  elseif(source MATCHES "avx512")
    set(flags "-O3;${avx512}")
  elseif(source MATCHES "avx2")
    set(flags "-O3;-mavx2;-mfma;-mf16c")
  else()
    set(flags "-O3")
  endif()
  if(MPNO_SANITIZE) # instrumented vector code takes minutes a file at -O3
    list(TRANSFORM flags REPLACE "-O3" "-O1")
  endif()
  set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
endforeach()

# The library as others see it, shared and static: what MPNO_API marks and nothing else. The static one is a single object
# whose hidden symbols were made local, so that no name of ours can meet a name of the user's program.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(openmp gomp) # found by other compilers too, unlike the path of this one's
else()
  set(openmp ${OpenMP_omp_LIBRARY})
endif()
set(MPNO_LINK ${DEPS_LDFLAGS} ${LZF_LIBRARY} ${openmp} m)

set(whole ${CMAKE_CURRENT_BINARY_DIR}/mpno_whole.o)
add_custom_command(OUTPUT ${whole} COMMENT "Joining the library into one object"
  COMMAND ${CMAKE_LINKER} -r -o ${whole} ${objects}
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${whole}
  DEPENDS ${objects} COMMAND_EXPAND_LISTS VERBATIM)
set_source_files_properties(${whole} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
add_library(mpno_static STATIC ${whole})
set_target_properties(mpno_static PROPERTIES OUTPUT_NAME mpno LINKER_LANGUAGE C)
target_link_libraries(mpno_static INTERFACE $<BUILD_INTERFACE:${MPNO_LINK}>)

add_library(mpno_shared SHARED ${objects})
set_target_properties(mpno_shared PROPERTIES OUTPUT_NAME mpno EXPORT_NAME mpno VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(mpno_shared PRIVATE mpno_flags ${MPNO_LINK})
target_link_options(mpno_shared PRIVATE $<$<NOT:$<BOOL:${MPNO_SANITIZE}>>:-Wl,--no-undefined>)

file(GLOB CLI_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c)
file(GLOB BENCH_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
