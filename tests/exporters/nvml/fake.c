/*
 * A libnvidia-ml.so.1 of our own: what NVML says is what a text file says, read anew at every call.
 *
 * The file is named by NVML_FAKE. Its lines (a name may end in @N: only GPU N):
 *   count 2                      how many GPUs there are
 *   value NAME TEXT              what a query gives; without a line: not supported (3)
 *   field NUMBER TYPE VALUE      a field value; field@N for one GPU only
 *   sample GPU MICROSECONDS PERCENT
 *   process GPU PID BYTES INSTANCE C|G     BYTES may be "unknown"
 *   use GPU PID MICROSECONDS PERCENT
 *   slice GPU UUID INSTANCE TOTAL USED
 *   xid GPU NUMBER SERIAL        delivered once per serial, ascending
 *   code SYMBOL CODE [TIMES]     the call answers CODE, the first TIMES times or always
 *   delay SYMBOL MILLISECONDS
 *   hang SYMBOL                  the call does not come back while the line is there
 *   crash SYMBOL                 a segmentation fault
 *   print SYMBOL TEXT            on standard output, as libraries should not
 * Symbols are left out by a linker's version script. Struct layouts: nvml.h of CUDA 13.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOT_SUPPORTED 3
#define INVALID 2
#define NOT_FOUND 6
#define SMALL 7
#define TIMED_OUT 10
#define UNKNOWN_MEMORY UINT64_MAX
#define GPUS 16
#define SLICES 8

typedef struct { int gpu, slice; } device_t;
typedef union { double d; unsigned int u; unsigned long ul; unsigned long long ull; long long sll; } value_t;

static device_t devices[GPUS], slices[GPUS][SLICES];
static struct { char name[96]; int calls; } calls[256];

static void pause_ms(long ms) {
    struct timespec t = { ms / 1000, (ms % 1000) * 1000000 };
    nanosleep(&t, NULL);
}

/* What follows WORD in the n-th line that begins with it; 0 when there is no such line. */
static int line(const char *word, int n, char *out, size_t size) {
    char text[512];
    size_t length = strlen(word);
    FILE *file = fopen(getenv("NVML_FAKE") ? getenv("NVML_FAKE") : "/dev/null", "r");
    int found = 0;
    while (file && !found && fgets(text, sizeof text, file)) {
        text[strcspn(text, "\n")] = 0;
        if (!strncmp(text, word, length) && strchr(" ", text[length]) && n-- == 0) {
            snprintf(out, size, "%s", text[length] ? text + length + 1 : "");
            found = 1;
        }
    }
    if (file) fclose(file);
    return found;
}

/* What follows "VERB NAME@gpu", else "VERB NAME". */
static int said(const char *verb, const char *name, int gpu, char *out, size_t size) {
    char key[160];
    snprintf(key, sizeof key, "%s %s@%d", verb, name, gpu);
    if (line(key, 0, out, size)) return 1;
    snprintf(key, sizeof key, "%s %s", verb, name);
    return line(key, 0, out, size);
}

static int count_call(const char *name, int gpu) {
    char key[96];
    snprintf(key, sizeof key, "%s@%d", name, gpu);
    for (int i = 0; i < 256; i++) {
        if (!calls[i].name[0]) strcpy(calls[i].name, key);
        if (!strcmp(calls[i].name, key)) return ++calls[i].calls;
    }
    return 0;
}

/* Do what the file says of this call: wait, hang, crash or fail. */
static int gate(const char *name, int gpu) {
    char text[256];
    int code = 0, times = -1, call = count_call(name, gpu);
    if (said("crash", name, gpu, text, sizeof text)) raise(SIGSEGV);
    while (said("hang", name, gpu, text, sizeof text)) pause_ms(5);
    if (said("print", name, gpu, text, sizeof text)) { puts(text); fflush(stdout); }
    if (said("delay", name, gpu, text, sizeof text)) pause_ms(atol(text));
    if (said("code", name, gpu, text, sizeof text)) {
        sscanf(text, "%d %d", &code, &times);
        if (times >= 0 && call > times) code = 0;
    }
    return code;
}

static int number(const char *name, int gpu, unsigned long long *out) {
    char text[256];
    if (!said("value", name, gpu, text, sizeof text)) return NOT_SUPPORTED;
    *out = strtoull(text, NULL, 0);
    return 0;
}

static int text_value(const char *name, int gpu, char *out, unsigned int size) {
    return said("value", name, gpu, out, size) ? 0 : NOT_SUPPORTED;
}

static unsigned int gpu_count(void) {
    char text[64];
    return line("count", 0, text, sizeof text) ? (unsigned int)atoi(text) : 0;
}

#define GATE(gpu) do { int code_ = gate(__func__, gpu); if (code_) return code_; } while (0)
#define UINT(symbol, key) \
    int symbol(device_t *device, unsigned int *out) { \
        unsigned long long v = 0; GATE(device->gpu); \
        int code = number(key, device->gpu, &v); *out = (unsigned int)v; return code; }
#define ULL(symbol, key) \
    int symbol(device_t *device, unsigned long long *out) { \
        GATE(device->gpu); return number(key, device->gpu, out); }

int nvmlInitWithFlags(unsigned int flags) { (void)flags; GATE(-1); return 0; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { GATE(-1); return 0; }
const char *nvmlErrorString(int code) { (void)code; return "a fake error"; }
int nvmlSystemGetDriverVersion(char *out, unsigned int n) { GATE(-1); return text_value("driver", -1, out, n); }
int nvmlSystemGetNVMLVersion(char *out, unsigned int n) { GATE(-1); return text_value("nvml", -1, out, n); }
int nvmlSystemGetCudaDriverVersion(int *out) {
    unsigned long long v = 0;
    GATE(-1);
    int code = number("cuda", -1, &v);
    *out = (int)v;
    return code;
}
int nvmlDeviceGetCount_v2(unsigned int *out) { GATE(-1); *out = gpu_count(); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device_t **out) {
    GATE((int)index);
    if (index >= gpu_count() || index >= GPUS) return INVALID;
    devices[index].gpu = (int)index;
    devices[index].slice = -1;
    *out = &devices[index];
    return 0;
}
int nvmlDeviceGetUUID(device_t *device, char *out, unsigned int n) {
    char text[256], uuid[128];
    GATE(device->gpu);
    if (device->slice < 0) return text_value("uuid", device->gpu, out, n);
    snprintf(uuid, sizeof uuid, "slice %d", device->gpu);
    if (!line(uuid, device->slice, text, sizeof text)) return NOT_FOUND;
    sscanf(text, "%127s", uuid);
    snprintf(out, n, "%s", uuid);
    return 0;
}
int nvmlDeviceGetName(device_t *device, char *out, unsigned int n) {
    GATE(device->gpu);
    return text_value("name", device->gpu, out, n);
}

typedef struct {
    char legacy[16];
    unsigned int domain, bus, device, id, subsystem;
    char bus_id[32];
} pci_t;
int nvmlDeviceGetPciInfo_v3(device_t *device, pci_t *out) {
    GATE(device->gpu);
    memset(out, 0, sizeof *out);
    return text_value("pci", device->gpu, out->bus_id, sizeof out->bus_id);
}

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory_v2_t;
static int slice_memory(device_t *device, memory_v2_t *out) {
    char key[32], text[256];
    snprintf(key, sizeof key, "slice %d", device->gpu);
    if (!line(key, device->slice, text, sizeof text)) return NOT_FOUND;
    out->reserved = 0;
    sscanf(text, "%*s %*s %llu %llu", &out->total, &out->used);
    out->free = out->total - out->used;
    return 0;
}
static int memory(device_t *device, memory_v2_t *out) {
    int code = 0;
    if (device->slice >= 0) return slice_memory(device, out);
    code |= number("memory.total", device->gpu, &out->total);
    code |= number("memory.reserved", device->gpu, &out->reserved);
    code |= number("memory.free", device->gpu, &out->free);
    code |= number("memory.used", device->gpu, &out->used);
    return code;
}
int nvmlDeviceGetMemoryInfo_v2(device_t *device, memory_v2_t *out) {
    GATE(device->gpu);
    return out->version == 0x02000028 ? memory(device, out) : 25;
}
int nvmlDeviceGetMemoryInfo(device_t *device, memory_t *out) {
    memory_v2_t all = { 0 };
    GATE(device->gpu);
    int code = memory(device, &all);
    out->total = all.total;
    out->free = all.free;
    out->used = all.used + all.reserved; /* as the real one does */
    return code;
}

typedef struct { unsigned int gpu, memory; } utilization_t;
int nvmlDeviceGetUtilizationRates(device_t *device, utilization_t *out) {
    unsigned long long gpu = 0, memory = 0;
    GATE(device->gpu);
    int code = number("utilization.gpu", device->gpu, &gpu) | number("utilization.memory", device->gpu, &memory);
    out->gpu = (unsigned int)gpu;
    out->memory = (unsigned int)memory;
    return code;
}

typedef struct { unsigned long long at; value_t value; } sample_t;
int nvmlDeviceGetSamples(device_t *device, int kind, unsigned long long since, int *type, unsigned int *n, sample_t *out) {
    char key[32], text[128];
    unsigned int found = 0;
    (void)kind;
    GATE(device->gpu);
    snprintf(key, sizeof key, "sample %d", device->gpu);
    for (int i = 0; line(key, i, text, sizeof text); i++) {
        unsigned long long at;
        unsigned int percent;
        sscanf(text, "%llu %u", &at, &percent);
        if (at <= since) continue;
        if (out && found < *n) { out[found].at = at; out[found].value.u = percent; }
        found++;
    }
    *type = 1;
    *n = found;
    return found ? 0 : NOT_FOUND;
}

typedef struct { unsigned int version; int sensor, temperature; } temperature_t;
int nvmlDeviceGetTemperatureV(device_t *device, temperature_t *out) {
    unsigned long long v = 0;
    GATE(device->gpu);
    int code = number("temperature", device->gpu, &v);
    out->temperature = (int)v;
    return code;
}
int nvmlDeviceGetTemperature(device_t *device, int sensor, unsigned int *out) {
    unsigned long long v = 0;
    (void)sensor;
    GATE(device->gpu);
    int code = number("temperature", device->gpu, &v);
    *out = (unsigned int)v;
    return code;
}
UINT(nvmlDeviceGetPowerUsage, "power")
UINT(nvmlDeviceGetEnforcedPowerLimit, "power_limit")
ULL(nvmlDeviceGetTotalEnergyConsumption, "energy")
UINT(nvmlDeviceGetFanSpeed, "fan")
UINT(nvmlDeviceGetPerformanceState, "pstate")
ULL(nvmlDeviceGetCurrentClocksEventReasons, "throttle")
ULL(nvmlDeviceGetCurrentClocksThrottleReasons, "throttle")
static int numbered(const char *name, device_t *device, unsigned int which, unsigned int *out) {
    char key[64];
    unsigned long long v = 0;
    snprintf(key, sizeof key, "%s.%u", name, which);
    int code = number(key, device->gpu, &v);
    *out = (unsigned int)v;
    return code;
}
int nvmlDeviceGetClockInfo(device_t *device, unsigned int domain, unsigned int *out) {
    GATE(device->gpu);
    return numbered("clock", device, domain, out);
}
int nvmlDeviceGetMaxClockInfo(device_t *device, unsigned int domain, unsigned int *out) {
    GATE(device->gpu);
    return numbered("clock_max", device, domain, out);
}

typedef struct {
    uint32_t field, scope;
    int64_t at, latency;
    int type, code;
    value_t value;
} field_t;
int nvmlDeviceGetFieldValues(device_t *device, int n, field_t *out) {
    char name[32], text[128];
    GATE(device->gpu);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%u", out[i].field);
        out[i].code = said("field", name, device->gpu, text, sizeof text) ? 0 : NOT_SUPPORTED;
        if (out[i].code) continue;
        out[i].value.ull = 0;
        sscanf(text, "%d %llu", &out[i].type, &out[i].value.ull);
    }
    return 0;
}
int nvmlDeviceGetTotalEccErrors(device_t *device, int severity, int scope, unsigned long long *out) {
    char key[32];
    GATE(device->gpu);
    snprintf(key, sizeof key, "ecc.%d.%d", severity, scope);
    return number(key, device->gpu, out);
}
int nvmlDeviceGetRemappedRows(device_t *device, unsigned int *corrected, unsigned int *uncorrected, unsigned int *pending, unsigned int *failed) {
    char text[128];
    GATE(device->gpu);
    if (!said("value", "remapped", device->gpu, text, sizeof text)) return NOT_SUPPORTED;
    sscanf(text, "%u %u %u %u", corrected, uncorrected, pending, failed);
    return 0;
}

int nvmlDeviceGetMigMode(device_t *device, unsigned int *current, unsigned int *pending) {
    unsigned long long v = 0;
    GATE(device->gpu);
    int code = number("mig", device->gpu, &v);
    *current = *pending = (unsigned int)v;
    return code;
}
int nvmlDeviceGetMaxMigDeviceCount(device_t *device, unsigned int *out) { GATE(device->gpu); *out = SLICES - 1; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(device_t *device, unsigned int index, device_t **out) {
    char key[32], text[256];
    GATE(device->gpu);
    snprintf(key, sizeof key, "slice %d", device->gpu);
    if (index >= SLICES || !line(key, (int)index, text, sizeof text)) return NOT_FOUND;
    slices[device->gpu][index].gpu = device->gpu;
    slices[device->gpu][index].slice = (int)index;
    *out = &slices[device->gpu][index];
    return 0;
}
int nvmlDeviceGetGpuInstanceId(device_t *device, unsigned int *out) {
    char key[32], text[256];
    GATE(device->gpu);
    snprintf(key, sizeof key, "slice %d", device->gpu);
    if (device->slice < 0 || !line(key, device->slice, text, sizeof text)) return NOT_FOUND;
    sscanf(text, "%*s %u", out);
    return 0;
}

typedef struct { unsigned int pid; unsigned long long memory; unsigned int gpu_instance, compute_instance; } process_t;
static int processes(device_t *device, char sort, unsigned int *n, process_t *out) {
    char key[32], text[128];
    unsigned int found = 0, room = *n;
    snprintf(key, sizeof key, "process %d", device->gpu);
    for (int i = 0; line(key, i, text, sizeof text); i++) {
        char bytes[32], of;
        unsigned int pid, instance;
        sscanf(text, "%u %31s %u %c", &pid, bytes, &instance, &of);
        if (of != sort) continue;
        if (out && found < room) {
            out[found].pid = pid;
            out[found].memory = strcmp(bytes, "unknown") ? strtoull(bytes, NULL, 0) : UNKNOWN_MEMORY;
            out[found].gpu_instance = instance;
        }
        found++;
    }
    *n = found;
    return found > room ? SMALL : 0;
}
#define PROCESSES(symbol, sort) \
    int symbol(device_t *device, unsigned int *n, process_t *out) { \
        GATE(device->gpu); return processes(device, sort, n, out); }
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, 'C')
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, 'C')
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, 'G')
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, 'G')

typedef struct { unsigned int pid; unsigned long long at; unsigned int sm, memory, encoder, decoder; } use_t;
int nvmlDeviceGetProcessUtilization(device_t *device, use_t *out, unsigned int *n, unsigned long long since) {
    char key[32], text[128];
    unsigned int found = 0, room = *n;
    GATE(device->gpu);
    snprintf(key, sizeof key, "use %d", device->gpu);
    for (int i = 0; line(key, i, text, sizeof text); i++) {
        use_t use = { 0 };
        sscanf(text, "%u %llu %u", &use.pid, &use.at, &use.sm);
        if (use.at <= since) continue;
        if (out && found < room) out[found] = use;
        found++;
    }
    *n = found;
    if (!found) return NOT_FOUND;
    return found > room ? SMALL : 0;
}

typedef struct { device_t *device; unsigned long long type, data; unsigned int gpu_instance, compute_instance; } event_t;
int nvmlEventSetCreate(int **out) { static int set; GATE(-1); *out = &set; return 0; }
int nvmlEventSetFree(int *set) { (void)set; return 0; }
int nvmlDeviceRegisterEvents(device_t *device, unsigned long long types, int *set) {
    (void)types; (void)set;
    GATE(device->gpu);
    return 0;
}
int nvmlEventSetWait_v2(int *set, event_t *out, unsigned int timeout_ms) {
    static int delivered;
    char text[128];
    (void)set;
    GATE(-1);
    for (unsigned int waited = 0; waited < timeout_ms; waited += 5) {
        for (int i = 0; line("xid", i, text, sizeof text); i++) {
            int gpu, xid, serial;
            sscanf(text, "%d %d %d", &gpu, &xid, &serial);
            if (serial <= delivered) continue;
            delivered = serial;
            memset(out, 0, sizeof *out);
            out->device = &devices[gpu];
            out->type = 8;
            out->data = (unsigned long long)xid;
            return 0;
        }
        pause_ms(5);
    }
    return TIMED_OUT;
}
