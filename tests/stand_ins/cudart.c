/* Stands in for CUDA's runtime library: memory of the host is the GPU's; calls are counted; any may fail;
   STAND_IN_GPU is the GPU's name. */
#include <stdlib.h>
#include <string.h>

static int calls, failing_code;
static char failing[64];

int stand_in_calls(void) { return calls; }
void stand_in_fail(const char *name, int code) {
    strncpy(failing, name, sizeof failing - 1);
    failing_code = code;
}
static int done(const char *name) { return calls++, strcmp(name, failing) ? 0 : failing_code; }

const char *cudaGetErrorString(int code) { return code == 2 ? "out of memory" : code == 100 ? "no device" : NULL; }
int cudaDriverGetVersion(int *version) { return *version = getenv("NO_DRIVER") ? 0 : 12060, done(__func__); }
int cudaRuntimeGetVersion(int *version) { return *version = 12060, done(__func__); }
int cudaGetDeviceCount(int *count) { return *count = getenv("NO_GPU") ? 0 : 1, done(__func__); }
int cudaSetDevice(int device) { return done(__func__); }
int cudaGetDeviceProperties(void *properties, int device) {
    memset(properties, 'x', 1032);
    strcpy(properties, getenv("STAND_IN_GPU") ? getenv("STAND_IN_GPU") : "Orin");
    return done(__func__);
}
int cudaDeviceGetAttribute(int *value, int which, int device) {
    *value = which == 75 ? 8 : which == 76 ? 7 : which == 16 ? 8 : -1;
    return done(__func__);
}
int cudaMalloc(void **address, size_t size) { return *address = calloc(1, size), done(__func__); }
int cudaStreamCreate(void **stream) { return *stream = (void *)0x5, done(__func__); }
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
    if ((kind != 1 && kind != 2) || stream != (void *)0x5) return 1;
    memcpy(to, from, size);
    return done(__func__);
}
int cudaStreamSynchronize(void *stream) { return done(__func__); }
