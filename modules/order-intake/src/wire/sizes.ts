/** What an event or acknowledgement takes besides its payload, in bytes, with room to spare. */
export const envelopeBytes = 2_048
