// The service of KMS v2 plugins (k8s.io/kms/apis/v2 v0.37), as facts: names, types and tags.
const string = (id: number) => ({ type: 'string', id });
const bytes = (id: number) => ({ type: 'bytes', id });
const annotations = (id: number) => ({ keyType: 'string', type: 'bytes', id });

export const kmsSchema = {
  nested: {
    v2: {
      nested: {
        KeyManagementService: {
          methods: {
            Status: { requestType: 'StatusRequest', responseType: 'StatusResponse' },
            Decrypt: { requestType: 'DecryptRequest', responseType: 'DecryptResponse' },
            Encrypt: { requestType: 'EncryptRequest', responseType: 'EncryptResponse' },
          },
        },
        StatusRequest: { fields: {} },
        StatusResponse: { fields: { version: string(1), healthz: string(2), keyId: string(3) } },
        DecryptRequest: {
          fields: {
            ciphertext: bytes(1),
            uid: string(2),
            keyId: string(3),
            annotations: annotations(4),
          },
        },
        DecryptResponse: { fields: { plaintext: bytes(1) } },
        EncryptRequest: { fields: { plaintext: bytes(1), uid: string(2) } },
        EncryptResponse: {
          fields: { ciphertext: bytes(1), keyId: string(2), annotations: annotations(3) },
        },
      },
    },
  },
};
