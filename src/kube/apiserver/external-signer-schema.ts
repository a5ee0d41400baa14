// The service of external signers of tokens (k8s.io/externaljwt/apis/v1 v0.37), as facts: names, types and tags.
const string = (id: number) => ({ type: 'string', id });
const int64 = (id: number) => ({ type: 'int64', id });

export const signerSchema = {
  nested: {
    v1: {
      nested: {
        ExternalJWTSigner: {
          methods: {
            Sign: { requestType: 'SignJWTRequest', responseType: 'SignJWTResponse' },
            FetchKeys: { requestType: 'FetchKeysRequest', responseType: 'FetchKeysResponse' },
            Metadata: { requestType: 'MetadataRequest', responseType: 'MetadataResponse' },
          },
        },
        SignJWTRequest: { fields: { claims: string(1) } },
        SignJWTResponse: { fields: { header: string(1), signature: string(2) } },
        FetchKeysRequest: { fields: {} },
        FetchKeysResponse: {
          fields: {
            keys: { rule: 'repeated', type: 'Key', id: 1 },
            dataTimestamp: { type: 'Timestamp', id: 2 },
            refreshHintSeconds: int64(3),
          },
        },
        Timestamp: { fields: { seconds: int64(1), nanos: { type: 'int32', id: 2 } } },
        Key: {
          fields: {
            keyId: string(1),
            key: { type: 'bytes', id: 2 },
            excludeFromOidcDiscovery: { type: 'bool', id: 3 },
          },
        },
        MetadataRequest: { fields: {} },
        MetadataResponse: { fields: { maxTokenExpirationSeconds: int64(1) } },
      },
    },
  },
};
