/*
 * Stands between a program and /dev/i2c-N and /dev/spidevB.C: loaded by LD_PRELOAD, it passes what the program asks of
 * these files to the bus server at the Unix socket BUS_SHIM_SOCKET, as the kernel would pass it to a bus. Everything
 * above the system calls is the real thing: the packages, their addons, libuv and the structures of linux/i2c-dev.h and
 * linux/spi/spidev.h.
 *
 * A request is: length u32, kind u8, body. An answer is: length u32, errno u32, body. Numbers are little-endian.
 *   'o' open      path                                                          -> nothing
 *   'a' address   u16 address: another driver may hold it                       -> nothing
 *   'i' i2c       u16 address, then messages: u8 isRead, u16 length, [bytes]    -> bytes of the reads
 *   's' spi       u32 Hz, then frames: u8 csRises, u16 length, bytes            -> as many bytes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <linux/spi/spidev.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_FD 4096
#define MAX_BODY 65536

struct device {
  int is_used;
  int is_spi;
  ino_t inode; /* of our socket: libuv closes by syscall(), unseen, and the number may be another file's by now */
  uint16_t address;
  uint8_t mode, bits;
  uint32_t hz;
  pthread_mutex_t lock;
};

static struct device devices[MAX_FD];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int (*real_open)(const char *, int, ...);
static int (*real_ioctl)(int, unsigned long, ...);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static long (*real_syscall)(long, ...);

static void set_up(void) {
  real_open = dlsym(RTLD_NEXT, "open64");
  real_ioctl = dlsym(RTLD_NEXT, "ioctl");
  real_read = dlsym(RTLD_NEXT, "read");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pread = dlsym(RTLD_NEXT, "pread64");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_syscall = dlsym(RTLD_NEXT, "syscall");
  for (int i = 0; i < MAX_FD; i++) pthread_mutex_init(&devices[i].lock, NULL);
}

static struct device *device_of(int fd) {
  struct stat st;
  if (fd < 0 || fd >= MAX_FD || !devices[fd].is_used) return NULL;
  if (fstat(fd, &st) != 0 || st.st_ino != devices[fd].inode) {
    devices[fd].is_used = 0;
    return NULL;
  }
  return &devices[fd];
}

static int send_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    bytes += n;
    length -= n;
  }
  return 0;
}

static int receive_all(int fd, uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = recv(fd, bytes, length, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    bytes += n;
    length -= n;
  }
  return 0;
}

/*
 * Returns the number of bytes of the answer, or -1 with errno. A server that is gone is a bus that is gone: EIO.
 * A call keeps its file to its end, as in the kernel, also when another thread closes the descriptor meanwhile and its
 * number is given to another file: hence the copy.
 */
static long ask(int fd, uint8_t kind, const uint8_t *body, uint32_t length, uint8_t *answer, uint32_t room) {
  uint8_t head[8];
  uint32_t size = length + 1, code, answered;
  long result = -1;
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -1;
  pthread_mutex_lock(&devices[fd].lock);
  memcpy(head, &size, 4);
  head[4] = kind;
  if (send_all(own, head, 5) != 0 || send_all(own, body, length) != 0 || receive_all(own, head, 8) != 0) {
    errno = EIO;
    goto end;
  }
  memcpy(&answered, head, 4);
  memcpy(&code, head + 4, 4);
  answered -= 4;
  if (answered > room || receive_all(own, answer, answered) != 0) {
    errno = EIO;
    goto end;
  }
  if (code != 0) errno = (int)code;
  else result = answered;
end:
  pthread_mutex_unlock(&devices[fd].lock);
  int code_of_call = errno;
  close(own);
  errno = code_of_call;
  return result;
}

static int is_bus(const char *path) {
  return path != NULL && (strncmp(path, "/dev/i2c-", 9) == 0 || strncmp(path, "/dev/spidev", 11) == 0);
}

static int open_bus(const char *path, int flags) {
  const char *at = getenv("BUS_SHIM_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  struct stat st;
  if (at == NULL || strlen(at) >= sizeof to.sun_path) {
    errno = ENOENT;
    return -1;
  }
  strcpy(to.sun_path, at);
  int fd = socket(AF_UNIX, SOCK_STREAM | ((flags & O_CLOEXEC) ? SOCK_CLOEXEC : 0), 0);
  if (fd < 0) return -1;
  if (fd >= MAX_FD || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 || fstat(fd, &st) != 0) {
    close(fd);
    errno = ENOENT;
    return -1;
  }
  struct device *device = &devices[fd];
  device->is_used = 1;
  device->is_spi = strncmp(path, "/dev/spidev", 11) == 0;
  device->inode = st.st_ino;
  device->address = 0;
  device->mode = 0;
  device->bits = 8;
  device->hz = 500000;
  uint8_t none[4];
  if (ask(fd, 'o', (const uint8_t *)path, strlen(path), none, sizeof none) < 0) {
    int code = errno;
    device->is_used = 0;
    close(fd);
    errno = code;
    return -1;
  }
  return fd;
}

static int open_any(const char *path, int flags, mode_t mode) {
  pthread_once(&once, set_up);
  return is_bus(path) ? open_bus(path, flags) : real_open(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_any(path, flags, mode);
}

/* One I2C transfer of the messages; fills those that read. Returns 0, or -1 with errno. */
static int i2c_transfer(int fd, struct i2c_msg *messages, unsigned count) {
  uint8_t body[MAX_BODY], answer[MAX_BODY];
  uint32_t length = 2, expected = 0;
  if (count == 0 || count > I2C_RDWR_IOCTL_MAX_MSGS) {
    errno = EINVAL;
    return -1;
  }
  memcpy(body, &messages[0].addr, 2);
  for (unsigned i = 0; i < count; i++) {
    int is_read = (messages[i].flags & I2C_M_RD) != 0;
    if (messages[i].len > 8192 || length + 3 + messages[i].len > MAX_BODY) {
      errno = EINVAL;
      return -1;
    }
    body[length] = is_read;
    memcpy(body + length + 1, &messages[i].len, 2);
    length += 3;
    if (is_read) expected += messages[i].len;
    else {
      memcpy(body + length, messages[i].buf, messages[i].len);
      length += messages[i].len;
    }
  }
  long answered = ask(fd, 'i', body, length, answer, MAX_BODY);
  if (answered < 0) return -1;
  if ((uint32_t)answered != expected) {
    errno = EIO;
    return -1;
  }
  uint32_t at = 0;
  for (unsigned i = 0; i < count; i++) {
    if (!(messages[i].flags & I2C_M_RD)) continue;
    memcpy(messages[i].buf, answer + at, messages[i].len);
    at += messages[i].len;
  }
  return 0;
}

/* As i2c_smbus_xfer_emulated of the kernel makes messages out of an SMBus call. */
static int smbus(int fd, uint16_t address, struct i2c_smbus_ioctl_data *call) {
  uint8_t out[I2C_SMBUS_BLOCK_MAX + 2] = {call->command}, in[I2C_SMBUS_BLOCK_MAX + 1];
  int is_read = call->read_write == I2C_SMBUS_READ;
  struct i2c_msg messages[2] = {{address, 0, 1, out}, {address, I2C_M_RD, 0, in}};
  switch (call->size) {
    case I2C_SMBUS_QUICK:
      messages[0].len = 0;
      messages[0].flags = is_read ? I2C_M_RD : 0;
      return i2c_transfer(fd, messages, 1);
    case I2C_SMBUS_BYTE:
      if (!is_read) return i2c_transfer(fd, messages, 1);
      messages[1].len = 1;
      if (i2c_transfer(fd, messages + 1, 1) != 0) return -1;
      call->data->byte = in[0];
      return 0;
    case I2C_SMBUS_BYTE_DATA:
      if (!is_read) {
        out[1] = call->data->byte;
        messages[0].len = 2;
        return i2c_transfer(fd, messages, 1);
      }
      messages[1].len = 1;
      if (i2c_transfer(fd, messages, 2) != 0) return -1;
      call->data->byte = in[0];
      return 0;
    case I2C_SMBUS_WORD_DATA:
      if (!is_read) {
        out[1] = call->data->word & 0xff;
        out[2] = call->data->word >> 8;
        messages[0].len = 3;
        return i2c_transfer(fd, messages, 1);
      }
      messages[1].len = 2;
      if (i2c_transfer(fd, messages, 2) != 0) return -1;
      call->data->word = in[0] | in[1] << 8;
      return 0;
    case I2C_SMBUS_I2C_BLOCK_DATA:
    case I2C_SMBUS_I2C_BLOCK_BROKEN: {
      uint8_t length = call->data->block[0];
      if (length < 1 || length > I2C_SMBUS_BLOCK_MAX) {
        errno = EINVAL;
        return -1;
      }
      if (!is_read) {
        memcpy(out + 1, call->data->block + 1, length);
        messages[0].len = length + 1;
        return i2c_transfer(fd, messages, 1);
      }
      messages[1].len = length;
      if (i2c_transfer(fd, messages, 2) != 0) return -1;
      memcpy(call->data->block + 1, in, length);
      return 0;
    }
    default:
      errno = EOPNOTSUPP;
      return -1;
  }
}

static int i2c_ioctl(int fd, struct device *device, unsigned long request, void *argument) {
  uint8_t body[2], none[4];
  switch (request) {
    case I2C_SLAVE:
    case I2C_SLAVE_FORCE: {
      uint16_t address = (uint16_t)(uintptr_t)argument;
      memcpy(body, &address, 2);
      if (address > 0x7f) {
        errno = EINVAL;
        return -1;
      }
      if (request == I2C_SLAVE && ask(fd, 'a', body, 2, none, sizeof none) < 0) return -1;
      device->address = address;
      return 0;
    }
    case I2C_FUNCS:
      *(unsigned long *)argument = I2C_FUNC_I2C | (I2C_FUNC_SMBUS_EMUL & ~I2C_FUNC_SMBUS_PEC);
      return 0;
    case I2C_RDWR: {
      struct i2c_rdwr_ioctl_data *data = argument;
      return i2c_transfer(fd, data->msgs, data->nmsgs) == 0 ? (int)data->nmsgs : -1;
    }
    case I2C_SMBUS:
      return smbus(fd, device->address, argument);
    case I2C_TENBIT:
    case I2C_PEC:
    case I2C_RETRIES:
    case I2C_TIMEOUT:
      return 0;
    default:
      errno = ENOTTY;
      return -1;
  }
}

static int spi_message(int fd, struct device *device, struct spi_ioc_transfer *frames, unsigned count) {
  uint8_t body[MAX_BODY], answer[MAX_BODY];
  uint32_t hz = count > 0 && frames[0].speed_hz ? frames[0].speed_hz : device->hz;
  uint32_t length = 4, expected = 0;
  memcpy(body, &hz, 4);
  for (unsigned i = 0; i < count; i++) {
    uint16_t size = frames[i].len;
    /* spidev's bufsiz; other word sizes and modes are refused by most controllers. */
    if (frames[i].len > 4096 || expected + frames[i].len > 4096 || length + 3 + size > MAX_BODY) {
      errno = EMSGSIZE;
      return -1;
    }
    if (frames[i].bits_per_word != 0 && frames[i].bits_per_word != 8) {
      errno = EINVAL;
      return -1;
    }
    body[length] = frames[i].cs_change != 0;
    memcpy(body + length + 1, &size, 2);
    length += 3;
    if (frames[i].tx_buf) memcpy(body + length, (void *)(uintptr_t)frames[i].tx_buf, size);
    else memset(body + length, 0, size);
    length += size;
    expected += size;
  }
  long answered = ask(fd, 's', body, length, answer, MAX_BODY);
  if (answered < 0) return -1;
  if ((uint32_t)answered != expected) {
    errno = EIO;
    return -1;
  }
  uint32_t at = 0;
  for (unsigned i = 0; i < count; i++) {
    if (frames[i].rx_buf) memcpy((void *)(uintptr_t)frames[i].rx_buf, answer + at, frames[i].len);
    at += frames[i].len;
  }
  return (int)expected;
}

static int spi_ioctl(int fd, struct device *device, unsigned long request, void *argument) {
  switch (request) {
    case SPI_IOC_RD_MODE: *(uint8_t *)argument = device->mode; return 0;
    case SPI_IOC_RD_MODE32: *(uint32_t *)argument = device->mode; return 0;
    case SPI_IOC_RD_LSB_FIRST: *(uint8_t *)argument = 0; return 0;
    case SPI_IOC_RD_BITS_PER_WORD: *(uint8_t *)argument = device->bits; return 0;
    case SPI_IOC_RD_MAX_SPEED_HZ: *(uint32_t *)argument = device->hz; return 0;
    case SPI_IOC_WR_MAX_SPEED_HZ: device->hz = *(uint32_t *)argument; return 0;
    case SPI_IOC_WR_MODE:
    case SPI_IOC_WR_MODE32: {
      uint32_t mode = request == SPI_IOC_WR_MODE ? *(uint8_t *)argument : *(uint32_t *)argument;
      if (mode & ~(uint32_t)(SPI_CPHA | SPI_CPOL | SPI_CS_HIGH | SPI_NO_CS)) break;
      device->mode = mode;
      return 0;
    }
    case SPI_IOC_WR_LSB_FIRST:
      if (*(uint8_t *)argument) break;
      return 0;
    case SPI_IOC_WR_BITS_PER_WORD:
      if (*(uint8_t *)argument != 8 && *(uint8_t *)argument != 0) break;
      return 0;
    default:
      if (_IOC_TYPE(request) == SPI_IOC_MAGIC && _IOC_NR(request) == 0) {
        unsigned count = _IOC_SIZE(request) / sizeof(struct spi_ioc_transfer);
        return spi_message(fd, device, argument, count);
      }
      errno = ENOTTY;
      return -1;
  }
  errno = EINVAL;
  return -1;
}

int ioctl(int fd, unsigned long request, ...) {
  va_list more;
  va_start(more, request);
  void *argument = va_arg(more, void *);
  va_end(more);
  pthread_once(&once, set_up);
  struct device *device = device_of(fd);
  if (device == NULL) return real_ioctl(fd, request, argument);
  return device->is_spi ? spi_ioctl(fd, device, request, argument) : i2c_ioctl(fd, device, request, argument);
}

static ssize_t transfer_one(int fd, struct device *device, void *bytes, size_t length, int flags) {
  struct i2c_msg message = {device->address, flags, length > 8192 ? 8192 : length, bytes};
  if (device->is_spi) {
    struct spi_ioc_transfer frame = {.len = length};
    if (flags) frame.rx_buf = (uintptr_t)bytes;
    else frame.tx_buf = (uintptr_t)bytes;
    return spi_message(fd, device, &frame, 1);
  }
  return i2c_transfer(fd, &message, 1) == 0 ? message.len : -1;
}

ssize_t read(int fd, void *bytes, size_t length) {
  pthread_once(&once, set_up);
  struct device *device = device_of(fd);
  return device ? transfer_one(fd, device, bytes, length, I2C_M_RD) : real_read(fd, bytes, length);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  pthread_once(&once, set_up);
  struct device *device = device_of(fd);
  return device ? transfer_one(fd, device, (void *)bytes, length, 0) : real_write(fd, bytes, length);
}

/* A position means nothing to these files; i2c-bus gives 0. */
ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
  pthread_once(&once, set_up);
  struct device *device = device_of(fd);
  return device ? transfer_one(fd, device, bytes, length, I2C_M_RD) : real_pread(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  pthread_once(&once, set_up);
  struct device *device = device_of(fd);
  return device ? transfer_one(fd, device, (void *)bytes, length, 0) : real_pwrite(fd, bytes, length, offset);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset) { return pread64(fd, bytes, length, offset); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

/* io_uring would pass us by; libuv closes files this way, too. */
long syscall(long number, ...) {
  va_list more;
  long a[6];
  va_start(more, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
  va_end(more);
  pthread_once(&once, set_up);
#ifdef SYS_io_uring_setup
  if (number == SYS_io_uring_setup) {
    errno = ENOSYS;
    return -1;
  }
#endif
  return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
