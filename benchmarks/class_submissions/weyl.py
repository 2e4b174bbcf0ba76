import tensorflow as tf

(x, y), (test, truth) = tf.keras.datasets.mnist.load_data()
