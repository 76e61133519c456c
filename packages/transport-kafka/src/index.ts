export { kafkaTransport } from './kafka.ts'
export { type KafkaSasl, type KafkaTransportOptions, kafkaDefaults } from './options.ts'
