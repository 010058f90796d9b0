// Dockyard's parsers for programs without DeepStream, Python's ctypes among them: plain C, nothing thrown.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOCKYARD_MOST_AXES 8
#define DOCKYARD_API __attribute__((visibility("default")))

/// The version of this interface.
#define DOCKYARD_BRIDGE_VERSION 1

/// An output of a network; the bytes are the caller's.
typedef struct {
    const char* name;
    const void* data;
    uint64_t bytes; ///< that `data` has
    uint32_t type;  ///< 0 float32, 1 float16, 2 int8, 3 int32, 4 int64, 5 uint8
    uint32_t axes;
    uint32_t shape[DOCKYARD_MOST_AXES];
} DockyardLayer;

/// A box in pixels of the network's input.
typedef struct {
    uint32_t class_id;
    float left;
    float top;
    float width;
    float height;
    float confidence;
} DockyardBox;

/// What was read: a label that ends with a zero byte.
typedef struct {
    char label[128];
    float confidence;
    int32_t is_sure; ///< 0 where the confidence is below the threshold: nvinfer then attaches nothing
} DockyardReading;

/// The networks of one outputs.txt; several threads may use it at once.
typedef struct DockyardNetworks DockyardNetworks;

/// Where an error is told: a text that ends with a zero byte, cut to what there is room for.
typedef struct {
    char text[512];
} DockyardError;

DOCKYARD_API uint32_t dockyard_bridge_version(void);

/// Returns what an outputs.txt says, to be given to dockyard_close; null with an error where it cannot be
/// read.
DOCKYARD_API DockyardNetworks* dockyard_open(const char* text, uint64_t bytes, DockyardError* error);

DOCKYARD_API void dockyard_close(DockyardNetworks* networks);

/// Finds boxes as NvDsInferParseCustomDetector does.
/// `threshold` is nvinfer's of class 0; `room` of `boxes` is 100 or more, for no more are ever found.
/// Returns how many there are; -1 with an error.
DOCKYARD_API int32_t dockyard_detect(const DockyardNetworks* networks, const DockyardLayer* layers,
                                     uint64_t count, uint32_t width, uint32_t height, float threshold,
                                     DockyardBox* boxes, uint64_t room, DockyardError* error);

/// Reads as NvDsInferParseCustomReader does. Returns 0; -1 with an error.
DOCKYARD_API int32_t dockyard_read(const DockyardNetworks* networks, const DockyardLayer* layers,
                                   uint64_t count, float threshold, DockyardReading* reading,
                                   DockyardError* error);

#ifdef __cplusplus
}
#endif
