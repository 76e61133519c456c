/** What the server is told on its command line, so that no file in the cluster needs to be kept in step. */
export interface SettingsRequest {
  readonly port: number
  readonly durable: boolean
  readonly maxConnections: number
  readonly major: number
}

/** Settings for two cores, a log and queues: many small commits, few connections, hot rows. */
export function serverArguments(request: SettingsRequest): readonly string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: request.port,
    max_connections: request.maxConnections,
    shared_buffers: '192MB',
    // Absent or too few huge pages end the server with SIGBUS in some containers.
    huge_pages: 'off',
    // In memory (tests) the WAL is better short.
    max_wal_size: request.durable ? '2GB' : '512MB',
    min_wal_size: '160MB',
    checkpoint_timeout: '15min',
    // The binaries have no lz4, and with checkpoints this rare there are few full pages to compress.
    wal_compression: 'off',
    max_logical_replication_workers: 0,
    synchronous_commit: 'on',
    fsync: request.durable ? 'on' : 'off',
    full_page_writes: request.durable ? 'on' : 'off',
    // Within the cluster's directory, so that a test's server that was killed leaves nothing behind.
    dynamic_shared_memory_type: request.durable ? 'posix' : 'mmap',
    jit: 'off',
    max_parallel_workers_per_gather: 0,
    autovacuum: 'on',
    autovacuum_naptime: '15s',
    timezone: 'UTC',
    // LOG and above only: errors of statements go to whoever sent them, and their texts may hold what is stored.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
    ...(request.major >= 18 ? { io_workers: 2 } : {}),
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
