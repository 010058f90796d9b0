// What Dockyard's parsers need of DeepStream's structures, restated: the order and the types of the fields
// are the binary interface, everything else is left out. A build with DEEPSTREAM_INCLUDES takes the SDK's own
// file.
#ifndef DOCKYARD_NVDSINFER_H
#define DOCKYARD_NVDSINFER_H

#define NVDSINFER_MAX_DIMS 8

/// A shape without its batch; `numElements` is the product of the first `numDims` sizes.
typedef struct {
    unsigned int numDims;
    unsigned int d[NVDSINFER_MAX_DIMS];
    unsigned int numElements;
} NvDsInferDims;

typedef enum { FLOAT = 0, HALF = 1, INT8 = 2, INT32 = 3, INT64 = 4, UINT8 = 5 } NvDsInferDataType;

/// One tensor of a network. The buffer is in host memory, is of one frame or one object, and is nvinfer's: it
/// lives no longer than the call.
typedef struct {
    NvDsInferDataType dataType;
    union {
        NvDsInferDims inferDims;
        NvDsInferDims dims;
    };
    int bindingIndex;
    const char* layerName;
    void* buffer;
    int isInput;
} NvDsInferLayerInfo;

/// The sides of a network's input in pixels.
typedef struct {
    unsigned int width;
    unsigned int height;
    unsigned int channels;
} NvDsInferNetworkInfo;

/// A box in pixels of the network's input. DeepStream 9.0 appended its rotation in radians.
typedef struct {
    unsigned int classId;
    float left;
    float top;
    float width;
    float height;
    float detectionConfidence;
#if DOCKYARD_DEEPSTREAM_MAJOR >= 9
    float rotation_angle;
#endif
} NvDsInferObjectDetectionInfo;

/// What a classifier says of an object; nvinfer calls free() on the label.
typedef struct {
    unsigned int attributeIndex;
    unsigned int attributeValue;
    float attributeConfidence;
    char* attributeLabel;
} NvDsInferAttribute;

#endif
